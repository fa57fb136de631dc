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
    """The sender, the addresses mails point to, and the folders of templates, the first one first."""

    network: str
    address: str
    operator: str
    imprint: Imprint
    links: Links
    return_path: ReturnPath
    message_id_domain: str
    templates: tuple[Path, ...]
