"""placeholder"""

import html as _h
import re

import nh3


def clean_html(html: str, *, base_url: str = "") -> str:
    return nh3.clean(html, tags={"p", "br", "strong", "em", "ul", "ol", "li", "a"}, link_rel=None)


def plain_text(html: str, width: int = 72) -> str:
    return _h.unescape(re.sub(r"<[^>]+>", " ", html)).strip()


def excerpt(html: str, limit: int = 500) -> str:
    return html
