"""What Outlook for Windows passes over, where the layout of a mail hangs on it.

It renders with Word, which knows tables and widths and little of CSS. What only adorns (rounded
corners, shadows) may be lost; what makes columns, widths, buttons and pictures behind text may not,
unless a comment for Outlook (<!--[if mso]>) or a table cell stands in for it.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from mailer.render.finish import conditional_comments


def ignored_by_outlook(html: str) -> list[str]:
    """What is wrong with a page as it is mailed, once each, in the order of the page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return list(dict.fromkeys([*_unbalanced(html), *reader.told]))


def _unbalanced(html: str) -> Iterator[str]:
    comments = conditional_comments(html)
    # <!--[if mso]>...<![endif]--> is one comment; <!--[if !mso]><!--> and <!--<![endif]--> are two
    begun = sum(1 for each in comments if each.startswith("<!--[if") and "<![endif]" not in each)
    ended = sum(1 for each in comments if each.startswith("<!--<![endif]"))
    if begun != ended:
        yield f"of comments for Outlook {begun} begin and {ended} end: <!--[if mso]> needs its <![endif]-->"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.told: list[str] = []
        #: whether this is kept from Outlook: <!--[if !mso]><!-->
        self.hidden = False
        #: tables that only Outlook sees and that are open, and shapes behind text
        self.ghosts = 0
        self.shapes = 0
        #: the styles of the cells around
        self.cells: list[dict[str, str]] = []

    def handle_comment(self, data: str) -> None:
        if data.startswith("[if !mso"):
            self.hidden = True
        elif data.startswith("<![endif]"):
            self.hidden = False
        elif data.startswith("[if"):
            self.ghosts += len(re.findall("<table", data, re.I)) - len(re.findall("</table", data, re.I))
            self.shapes += len(_SHAPE.findall(data)) - len(_SHAPE_ENDS.findall(data))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        style = _declared(said.get("style", ""))
        if not self.hidden and style.get("display") != "none":
            self.told += [f"<{tag}>: {problem}" for problem in self._ignored(tag, said, style)]
        if tag in ("td", "th"):
            self.cells.append(style)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cells:
            self.cells.pop()

    def _ignored(self, tag: str, said: dict[str, str], style: dict[str, str]) -> Iterator[str]:
        display = style.get("display", "")
        if re.fullmatch("(?:inline-)?(?:flex|grid)", display):
            yield f"Outlook ignores display: {display}; columns are cells of a table"
        if style.get("position", "static") != "static":
            yield f"Outlook ignores position: {style['position']}"
        if style.get("float", "none") != "none":
            yield f"Outlook ignores float: {style['float']}; use cells of a table or the attribute align"
        if (
            "max-width" in style
            and style["max-width"] not in ("none", "100%")
            and not self._has_width(said, style)
        ):
            yield f"Outlook ignores max-width: {style['max-width']}; give it the attribute width, too"
        if not self.shapes and ("background" in said or "url(" in _background(style)):
            yield "Outlook ignores pictures in the background; they need VML beside them"
        yield from self._box(tag, style)
        if tag == "table" and not said.get("align") and _moves_sideways(style):
            yield "Outlook ignores margin on tables; use the attribute align or padding of a cell around it"
        for name, value in style.items():
            if name == "font" and (unit := _RELATIVE.search(value)):
                yield f"Outlook ignores font with {unit[0].strip('0123456789.')}; write it in px"
            elif name in _MEASURED and (unit := _UNKNOWN.search(value)):
                yield f"Outlook ignores {name} with {unit[0].strip('0123456789.')}; write it in px"

    def _has_width(self, said: dict[str, str], style: dict[str, str]) -> bool:
        fixed = re.fullmatch(r"\d+(?:px)?", said.get("width", "")) or re.fullmatch(
            r"\d+px", style.get("width", "")
        )
        return self.ghosts > 0 or fixed is not None

    def _box(self, tag: str, style: dict[str, str]) -> Iterator[str]:
        """Padding round what looks like a button or a box."""
        padding = [value for name, value in style.items() if name.startswith("padding")]
        padded = any(re.search(r"[1-9]", value) for value in padding)
        looks = _background(style) not in ("", "none", "transparent") or any(
            name in style and not style[name].startswith(("none", "0")) for name in _BORDERS
        )
        if tag not in ("a", "p", "div", "span") or not padded or not looks or self.shapes:
            return
        around = self.cells[-1] if self.cells else {}
        if "mso-padding-alt" not in style and not ("mso-padding-alt" in around and tag == "a"):
            yield f"Outlook ignores padding on <{tag}>; put it on a table cell around it"


def _declared(css: str) -> dict[str, str]:
    found = {}
    for declaration in css.split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip().lower()] = value.replace("!important", "").strip().lower()
    found.pop("", None)
    return found


def _background(style: dict[str, str]) -> str:
    return " ".join(
        style[name] for name in ("background", "background-color", "background-image") if name in style
    )


def _moves_sideways(style: dict[str, str]) -> bool:
    sides = style.get("margin", "0").split() or ["0"]
    right = sides[1] if len(sides) > 1 else sides[0]
    left = sides[3] if len(sides) > 3 else right
    wanted = (style.get("margin-left", left), style.get("margin-right", right))
    return any(not re.fullmatch(r"0[a-z%]*", side) for side in wanted)


_SHAPE = re.compile(r"<v:(?:rect|roundrect|background)\b", re.I)
_SHAPE_ENDS = re.compile(r"</v:(?:rect|roundrect|background)\b", re.I)
_RELATIVE = re.compile(r"\b\d*\.?\d+(?:rem|em|vw|vh)\b|\b(?:calc|var|clamp|min|max)\(")
_UNKNOWN = re.compile(r"\b\d*\.?\d+(?:rem|vw|vh)\b|\b(?:calc|var|clamp|min|max)\(")
_BORDERS = ("border", "border-top", "border-bottom")
_MEASURED = {
    "width", "height", "font-size", "line-height", "color", "background", "background-color", "text-indent",
    *(f"{box}{side}" for box in ("padding", "margin") for side in ("", "-top", "-right", "-bottom", "-left")),
}  # fmt: skip
