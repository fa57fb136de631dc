"""From bytes to text, for XML whose declared encoding is often wrong."""

import codecs
import re

from mailer.feeds.parsed import NotAFeed, Problems


def decode(body: bytes, content_type: str, problems: Problems) -> str:
    """Bytes to text: what the bytes are counts more than what they are called.

    RFC 7303 gives the BOM, then the Content-Type, then the declaration; but text that is valid UTF-8 beyond
    ASCII is UTF-8, and a German site's invalid UTF-8 is Windows-1252, whatever the declaration says.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            if encoding != "utf-8":
                return body.decode(encoding, "replace").removeprefix("\ufeff")
            body = body[len(mark) :]
    declared = _declared(body, content_type)
    try:
        text = body.decode("utf-8")
        if declared not in ("utf-8", "ascii") and not text.isascii():
            problems.note(f"declared as {declared}, but written in UTF-8")
        return text
    except UnicodeDecodeError:
        pass
    if declared not in ("utf-8", "ascii", "iso8859-1", "cp1252"):
        return body.decode(declared, "replace")
    if declared in ("utf-8", "ascii"):
        problems.note("declared as UTF-8, but not written so: read as Windows-1252")
    replaced = body.decode("utf-8", "replace")
    broken = replaced.count("\ufffd")
    if broken > 1000 or broken > sum(c > "\x7f" for c in replaced) - broken:
        return body.decode("latin-1").translate(CP1252)
    return body.decode("utf-8", "infomail-cp1252")  # mostly UTF-8, with pieces pasted in


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)

# Windows-1252 fills the C1 control range of ISO-8859-1; nobody means the controls (WHATWG Encoding 4.2)
CP1252 = {c: bytes([c]).decode("cp1252", "ignore") for c in range(0x80, 0xA0)}


def _pasted(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1").translate(CP1252), error.end


codecs.register_error("infomail-cp1252", _pasted)


def _declared(body: bytes, content_type: str) -> str:
    """The declared encoding's codec name; "utf-8" when none, or none of those met in feeds (never UTF-7)."""
    found = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", content_type, re.I)
    named = re.match(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})", body)
    for label in (named[1].decode("ascii") if named else "", found[1] if found else ""):
        try:
            name = codecs.lookup(label).name if label.isascii() and label else ""
        except LookupError:
            continue
        if name == "utf-7":
            raise NotAFeed("written in UTF-7")
        if name.startswith(
            ("utf-8", "ascii", "iso8859", "cp125", "koi8", "mac-", "gb", "big5", "euc", "shift")
        ):
            return name
    return "utf-8"
