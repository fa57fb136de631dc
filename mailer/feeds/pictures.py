"""Pictures that strangers send in, made ours: decoded, turned upright, scaled, and written anew.

What is kept is pixels alone: no position, camera or comment, nothing hidden behind the picture, and no
format but two. Pillow decodes what it was asked to and no more pixels than a camera has.
"""

import io
import threading
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

LARGEST = 5_000_000  # bytes as sent
# A JPEG is decoded at an eighth of its size where that is enough; the others need memory for all their
# pixels, and a megabyte of PNG can claim a thousand times as many as a camera has.
MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 12_500_000, "WEBP": 12_500_000}
WIDEST, HIGHEST = 1072, 800  # pixels as kept: twice what a mail shows, since it travels with each
_ONE_AT_A_TIME = threading.Lock()
_FEW_COLOURS = 256


class BadPicture(ValueError):
    """It is kept out; `reason` is "large", "format" or "pixels"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Made:
    """A picture as it is kept: JPEG, or PNG where it is drawn or has transparency."""

    media_type: str
    width: int
    height: int
    data: bytes


def made_ours(data: bytes) -> Made:
    """The picture in `data`, JPEG, PNG or WebP; of a moving one its first frame. Raises BadPicture."""
    if len(data) > LARGEST:
        raise BadPicture("large")
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which nobody keeps
            with Image.open(io.BytesIO(data), formats=tuple(MOST_PIXELS)) as opened:
                if opened.width * opened.height > MOST_PIXELS[str(opened.format)]:
                    raise BadPicture("pixels")
                opened.draft("RGB", (HIGHEST, HIGHEST))
                opened.seek(0)
                return _written(ImageOps.exif_transpose(opened), was_png=opened.format == "PNG")
    except BadPicture:
        raise
    except Exception as error:  # decoders raise whatever they run into
        raise BadPicture("format") from error


def _written(picture: Image.Image, *, was_png: bool) -> Made:
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    drawn = transparent or (was_png and picture.convert("RGB").getcolors(_FEW_COLOURS) is not None)
    clean = picture.convert("RGBA" if transparent else "RGB")
    clean.thumbnail((WIDEST, HIGHEST))
    pixels = Image.new(clean.mode, clean.size)
    pixels.paste(clean)
    out = io.BytesIO()
    if drawn:
        pixels.save(out, "PNG", optimize=True)
    else:
        pixels.save(out, "JPEG", quality=80, optimize=True, progressive=True)
    return Made("image/png" if drawn else "image/jpeg", pixels.width, pixels.height, out.getvalue())
