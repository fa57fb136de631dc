"""What must hold before a mail goes out. Pure."""

from mailer.render.letterhead import Imprint

#: imprint field -> the setting that fills it; without these nothing is sent (§ 5 DDG, § 18 MStV)
_REQUIRED = {
    "name": "INFOMAIL_SENDER_NAME",
    "street": "INFOMAIL_SENDER_STREET",
    "city": "INFOMAIL_SENDER_CITY",
    "email": "INFOMAIL_SENDER_EMAIL",
    "responsible": "INFOMAIL_SENDER_RESPONSIBLE",
}


def imprint_gaps(imprint: Imprint) -> list[str]:
    """The settings that an imprint still lacks."""
    return [setting for field, setting in _REQUIRED.items() if not getattr(imprint, field).strip()]
