"""Values that a mail program would pass over in silence: colours, lengths, words of style sheets."""

import re
from collections.abc import Callable, Iterator

import cssutils
from cssutils.css.colors import COLORS

from mailer.render.check.findings import nearest
from mailer.render.check.source import HOLE


def wrong_in_attribute(name: str, value: str) -> str:
    """What is wrong with the value of an attribute of MJML, "" for nothing."""
    if HOLE in value:
        return ""
    value = value.strip()
    for names, is_right, advice in _VALUES:
        if name in names and not is_right(value):
            return f'{name}="{value}": {advice}'
    return ""


def wrong_in_declarations(css: str) -> Iterator[str]:
    """What is wrong in the declarations of one rule, or of a style attribute."""
    for declaration in css.split(";"):
        name, colon, value = (part.strip() for part in declaration.partition(":"))
        if HOLE in name or not name:
            continue
        if not colon:
            yield f"“{name[:40]}” is no declaration; one looks like “color: #123456”"
        elif not name.startswith(("-", "mso-")) and name.lower() not in _PROPERTIES:
            yield f"there is no property {name[:40]}{nearest(name.lower(), _PROPERTIES)}"
        if HOLE not in value:
            yield from _wrong_in_value(name, value)


def wrong_in_sheet(css: str) -> Iterator[tuple[int, str]]:
    """The same for a style sheet, with the place of each."""
    blank = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), css)
    depth = 0
    for brace in re.finditer(r"[{}]", blank):
        depth += 1 if brace[0] == "{" else -1
        if depth < 0:
            yield brace.start(), "“}” closes nothing"
            depth = 0
    if depth:
        yield blank.rfind("{"), "“{” is never closed"
    for rule in _RULE.finditer(blank):
        at = rule.start(1)
        for declaration in rule[1].split(";"):
            for problem in wrong_in_declarations(declaration):
                yield at + len(declaration) - len(declaration.lstrip()), problem
            at += len(declaration) + 1


def _wrong_in_value(name: str, value: str) -> Iterator[str]:
    bare = _QUOTED.sub("", value)
    for colour in re.findall(r"#[\w-]*", bare):
        if not _HEX.fullmatch(colour):
            yield f"{name}: {colour} is no colour; one has three or six digits: #1f2933"
    for unit in re.findall(r"(?<![\w#.-])[+-]?\d*\.?\d+([a-zA-Z]+)", bare):
        if unit.lower() not in _UNITS:
            yield f"{name}: {unit} is no unit{nearest(unit.lower(), _UNITS)}"


_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)")
_RULE = re.compile(r"\{([^{}]*)\}")
_QUOTED = re.compile(r"""url\([^)]*\)|"[^"]*"|'[^']*'""")
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_UNITS = {
    "px", "pt", "em", "rem", "ex", "ch", "vw", "vh", "cm", "mm", "in", "pc", "deg", "s", "ms", "dpi",
    "dppx", "fr",
}  # fmt: skip
#: cssutils knows those of CSS 2.1 and some later ones
_PROPERTIES = frozenset(cssutils.profile.knownNames) | {
    "align-items", "border-radius", "box-sizing", "color-scheme", "flex", "flex-direction", "flex-wrap",
    "gap", "grid", "grid-template-columns", "hyphens", "justify-content", "object-fit", "opacity",
    "order", "overflow-wrap", "supported-color-schemes", "text-decoration-color", "text-underline-offset",
    "text-wrap", "word-break", "word-wrap", "border-collapse", "border-spacing", "table-layout",
    "max-width", "min-width", "max-height", "min-height", "text-size-adjust", "background-size",
    "box-shadow", "text-overflow", "columns", "align-self", "text-decoration-thickness",
    "forced-color-adjust", "print-color-adjust", "hanging-punctuation", "tab-size", "zoom",
    "accent-color", "aspect-ratio", "border-top-left-radius", "border-top-right-radius",
    "border-bottom-left-radius", "border-bottom-right-radius",
}  # fmt: skip
_LENGTH = r"(?:0|\d+(?:\.\d+)?px)"
_SHARE = rf"(?:{_LENGTH}|\d+(?:\.\d+)?%)"
_COLOUR = r"(?:#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|rgba?\([\d.,%\s/]+\)|[a-zA-Z]+)"
_STYLES = "none|hidden|dotted|dashed|solid|double|groove|ridge|inset|outset"


def _is_colour(value: str) -> bool:
    if value.isalpha():
        return value.lower() in COLORS or value.lower() in ("transparent", "inherit", "currentcolor")
    return re.fullmatch(_COLOUR, value) is not None


def _is_border(value: str) -> bool:
    found = re.fullmatch(rf"(?:none|0|{_LENGTH} (?:{_STYLES}) (.+))", value)
    return found is not None and (found[1] is None or _is_colour(found[1]))


def _matching(pattern: str, *, most: int = 1) -> Callable[[str], bool]:
    whole = re.compile(rf"{pattern}(?:\s+{pattern}){{0,{most - 1}}}")
    return lambda value: whole.fullmatch(value) is not None


_FOUR = "one to four lengths in px: 8px 32px"
_VALUES = (
    (
        {"color", "background-color", "container-background-color", "border-color"},
        _is_colour,
        "a colour is written as #1f2933 or as a name of CSS",
    ),
    ({"padding", "inner-padding"}, _matching(_SHARE, most=4), _FOUR),
    ({"border-radius"}, _matching(_SHARE, most=4), _FOUR),
    (
        {"padding-top", "padding-right", "padding-bottom", "padding-left"},
        _matching(_SHARE),
        "a length in px: 8px",
    ),
    ({"font-size", "border-width", "height"}, _matching(_LENGTH), "a length in px: 16px"),
    ({"width"}, _matching(_SHARE), "a width in px or %: 600px"),
    ({"line-height"}, _matching(r"(?:\d+(?:\.\d+)?(?:px|%|em)?)"), "a number or a length: 1.5"),
    (
        {"border", "border-top", "border-right", "border-bottom", "border-left"},
        _is_border,
        "1px solid #c6d0da, or none",
    ),
    ({"border-style"}, _matching(f"(?:{_STYLES})"), f"one of {_STYLES.replace('|', ', ')}"),
    ({"font-weight"}, _matching("(?:normal|bold|bolder|lighter|[1-9]00)"), "normal, bold or 100 to 900"),
    ({"align", "text-align"}, _matching("(?:left|center|right|justify)"), "left, center, right or justify"),
    ({"vertical-align"}, _matching("(?:top|middle|bottom)"), "top, middle or bottom"),
    ({"full-width"}, _matching("full-width"), 'write full-width="full-width"'),
    ({"dir"}, _matching("(?:ltr|rtl|auto)"), "ltr, rtl or auto"),
)  # fmt: skip
