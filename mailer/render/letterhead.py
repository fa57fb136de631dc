"""What every mail of this installation has in common. Values only, made from the settings once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from email.headerregistry import Address
from pathlib import Path
from typing import Any

from mailer.links import Links
from mailer.receipts.returnpath import ReturnPath
from mailer.render.brand import Brand
from mailer.render.headerlines import one_line
from mailer.render.message import Image


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
    brand: Brand = field(default_factory=Brand)

    @property
    def mail_templates(self) -> list[Path]:
        """Where the mails' templates stand, one folder a kind."""
        return [folder / "mail" for folder in self.templates if (folder / "mail").is_dir()]

    def sender(self, *, sender_name: str, imprint: str, controller: str, privacy_url: str) -> dict[str, Any]:
        """Who a mail to a list is from, as templates show it; "" leaves the word to the operator.

        `imprint` is the list's own, in lines: the operator is then named as who sends for it.
        """
        return asdict(self.imprint) | {
            "name": sender_name or self.imprint.name,
            "operator": self.imprint.name,
            "imprint": [line.strip() for line in imprint.splitlines() if line.strip()],
            "controller": controller,
            "privacy_url": privacy_url or self.imprint.privacy_url,
        }

    def look(self) -> dict[str, Any]:
        """Colours and logo, as templates know them by the name of `brand`."""
        return self.brand.context(self.message_id_domain)

    @property
    def logo(self) -> Image | None:
        """What `look` may show."""
        return self.brand.image(self.message_id_domain)

    def people_headers(self, *, sender_name: str, reply_to: str) -> list[tuple[str, str | Address]]:
        """From and Reply-To of a mail to a list; "" leaves the word to the operator."""
        return [
            ("From", Address(one_line(sender_name) or one_line(self.imprint.name), addr_spec=self.address)),
            ("Reply-To", Address(addr_spec=reply_to or self.imprint.email or self.address)),
        ]

    def record(self) -> dict[str, Any]:
        """All but the folders, JSON-ready."""
        return {
            "network": self.network,
            "address": self.address,
            "operator": self.operator,
            "imprint": asdict(self.imprint),
            "base": self.links.base,
            "return_path": self.return_path.pattern,
            "message_id_domain": self.message_id_domain,
            "brand": self.brand.record(),
        }


def letterhead_of(record: Mapping[str, Any]) -> Letterhead:
    """The letterhead that a record was made of; it knows no folders."""
    return Letterhead(
        network=record["network"],
        address=record["address"],
        operator=record["operator"],
        imprint=Imprint(**record["imprint"]),
        links=Links(record["base"]),
        return_path=ReturnPath.parse(record["return_path"]),
        message_id_domain=record["message_id_domain"],
        templates=(),
        # letterheads were recorded before there was a brand
        brand=Brand.of(record["brand"]) if "brand" in record else Brand(),
    )
