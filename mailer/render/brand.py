"""How the mails of an installation look: its colour and its logo."""

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from PIL import Image as Pillow

from mailer.render.colours import Palette, palette
from mailer.render.message import Image

COLOUR = "#0b3d61"
#: bytes; it travels with each mail
LARGEST = 60_000
#: pixels of the mail that a logo may take
_WIDEST, _HIGHEST = 300, 56
#: pixels of its file: no screen shows more of it, and each costs memory
_MOST = 4_000_000


class BadLogo(ValueError):
    """The file cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A PNG or JPEG; width and height in pixels of the mail."""

    media_type: str
    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Brand:
    """What the operator chose; a mail without a logo shows the name of the network alone."""

    palette: Palette = field(default_factory=lambda: palette(COLOUR))
    logo: Logo | None = None

    def image(self, domain: str) -> Image | None:
        """The logo as it travels with a mail. Its Content-ID is the same in all of them."""
        if self.logo is None:
            return None
        name = f"logo-{sha256(self.logo.data).hexdigest()[:16]}@{domain}"
        return Image(name, self.logo.media_type, self.logo.data)

    def context(self, domain: str) -> dict[str, Any]:
        """What templates are filled with as `brand`."""
        image = self.image(domain)
        logo = None
        if image and self.logo:
            logo = {"src": image.url, "width": self.logo.width, "height": self.logo.height}
        return asdict(self.palette) | {"logo": logo}

    def record(self) -> dict[str, Any]:
        """JSON-ready, for `of`."""
        logo = asdict(self.logo) | {"data": base64.b64encode(self.logo.data).decode()} if self.logo else None
        return {"palette": asdict(self.palette), "logo": logo}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The brand that a record was made of."""
        logo = record["logo"]
        return cls(
            Palette(**record["palette"]),
            Logo(**(logo | {"data": base64.b64decode(logo["data"])})) if logo else None,
        )


def read_logo(path: Path) -> Logo:
    """The logo in a file. Raises BadLogo and OSError."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise BadLogo(f"{len(data):,} bytes; it travels with each mail, so {LARGEST:,} are the most")
    try:
        with Pillow.open(io.BytesIO(data), formats=("PNG", "JPEG")) as opened:
            kind, (width, height) = str(opened.format).lower(), opened.size
            if width * height <= _MOST:
                opened.load()
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as problem:
        raise BadLogo("no PNG or JPEG that can be read (mail programs show no SVG)") from problem
    if width * height > _MOST:
        raise BadLogo(
            f"{width} x {height} pixels; twice what is shown, {2 * _WIDEST} x {2 * _HIGHEST}, is enough"
        )
    scale = min(_WIDEST / width, _HIGHEST / height, 1)
    return Logo(f"image/{kind}", max(1, round(width * scale)), max(1, round(height * scale)), data)
