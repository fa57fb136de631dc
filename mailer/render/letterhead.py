"""What every mail of this installation has in common. Values only, made from the settings once."""

from dataclasses import dataclass
from pathlib import Path

from mailer.links import Links
from mailer.receipts.returnpath import ReturnPath


@dataclass(frozen=True, slots=True)
class Imprint:
    """Who answers for the mails (§ 5 DDG, § 18 MStV)."""

    name: str
    street: str
    city: str
    represented_by: str
    email: str
    phone: str
    responsible: str
    privacy_url: str


@dataclass(frozen=True, slots=True)
class Letterhead:
    """The sender, the addresses mails point to, and the roots of templates, the first one first."""

    network: str
    address: str
    operator: str
    imprint: Imprint
    links: Links
    return_path: ReturnPath
    message_id_domain: str
    templates: tuple[Path, ...]

    @property
    def mail_templates(self) -> list[Path]:
        """Where the mails' templates stand, one folder a kind."""
        return [folder / "mail" for folder in self.templates if (folder / "mail").is_dir()]
