"""The colours of the mails, out of one that the operator chose. Pure.

All of them keep what WCAG 2.2 wants (1.4.3): 4.5:1 between text and what lies behind it, in light and
in dark.
"""

import colorsys
import re
from dataclasses import dataclass

#: of text, whatever its size
ENOUGH = 4.5
#: of links, which stand in small print, too
_WELL_READ = 6.0
_WHITE, _DARK_SHEET = "#ffffff", "#1b2229"
_HEX = re.compile(r"#[0-9a-f]{6}")


class BadColour(ValueError):
    """The colour cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as #rrggbb."""

    #: behind the white name of the network, and of the headings
    main: str
    #: of links, and behind the white words of a button
    link: str
    #: behind what stands out, such as when and where
    box: str
    #: of links on the sheet in the dark
    link_in_dark: str


def palette(chosen: str) -> Palette:
    """The palette round a colour #rrggbb. Raises BadColour where white could not be read on it."""
    main = chosen.strip().lower()
    if not _HEX.fullmatch(main):
        raise BadColour(f"expected a colour like #0b3d61, got {chosen!r}")
    if contrast(main, _WHITE) < ENOUGH:
        raise BadColour(
            f"{main} is too light: white on it has a contrast of {contrast(main, _WHITE):.1f}:1, "
            f"and {ENOUGH}:1 is the least (WCAG 1.4.3)"
        )
    # a breath of it, and none where its words could not be read on that any more
    box = next(tint for tint in (_at(main, 0.94), _at(main, 0.97), _WHITE) if contrast(main, tint) >= ENOUGH)
    # as light as it can be read, so that a link does not look like the words around it
    lighter = [main, *(_at(main, step / 50) for step in range(50))]
    link = max((each for each in lighter if contrast(each, box) >= _WELL_READ), key=_luminance, default=main)
    in_dark = min(
        (each for each in (*lighter, _WHITE) if contrast(each, _DARK_SHEET) >= _WELL_READ), key=_luminance
    )
    return Palette(main=main, link=link, box=box, link_in_dark=in_dark)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours #rrggbb, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, "relative luminance")."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (value / 255 for value in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _at(colour: str, lightness: float) -> str:
    """The colour, lightness (0 to 1) apart."""
    hue, _, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in _channels(colour)))
    return "#" + "".join(
        f"{round(part * 255):02x}" for part in colorsys.hls_to_rgb(hue, lightness, saturation)
    )


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
