"""The parts of a mail, from the files that the folder of its kind has.

The HTML part is written in one of two ways: as MJML (body.mjml), or as plain HTML with a style sheet
in its head (body.html). Where there are both, body.html is taken: those that are shipped are MJML,
so it is an operator who put it there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mailer.render.finish import finished, without_noncharacters
from mailer.render.headerlines import one_line
from mailer.render.mjml import compile_mjml
from mailer.render.template import Environment

#: endings of the files that are templates
TEMPLATES = (".mjml", ".txt", ".html", ".jinja")


def body_names(folder: str) -> tuple[str, ...]:
    """Where the HTML part of a kind may stand, the first that exists is taken."""
    return f"{folder}/body.html", f"{folder}/body.mjml"


def entry_names(folder: str) -> tuple[str, ...]:
    """The same for the entries of an issue; a newsletter with a body of its own need not have one."""
    return f"{folder}/entry.html", f"{folder}/entry.mjml", "issue/entry.html", "issue/entry.mjml"


def subject_line(env: Environment, folder: str, context: Mapping[str, Any]) -> str:
    """subject.txt, filled, as a header can hold it. Raises jinja2.exceptions.TemplateError.

    A list of mails breaks no lines: a no-break space would only have to be encoded there, and a soft
    hyphen might be seen.
    """
    return one_line(env.get_template(f"{folder}/subject.txt").render(context).translate(_IN_A_LIST))


#: no-break spaces, wide and narrow, and the soft hyphen
_IN_A_LIST = {0xA0: " ", 0x202F: " ", 0xAD: None}


def text_part(env: Environment, folder: str, context: Mapping[str, Any]) -> str:
    """body.txt, filled. Raises jinja2.exceptions.TemplateError."""
    return without_noncharacters(env.get_template(f"{folder}/body.txt").render(context))


def html_part(env: Environment, names: Sequence[str], context: Mapping[str, Any]) -> str:
    """The first of these templates that exists, filled, as it is mailed.

    Raises jinja2.exceptions.TemplateError, BadPage and NotSelfContained.
    """
    template = env.select_template(list(names))
    return as_mailed(template.name or "", template.render(context))


def as_mailed(name: str, filled: str) -> str:
    """The HTML of a filled template, by the way it is written in. Raises BadPage and NotSelfContained."""
    return compile_mjml(filled) if name.endswith(".mjml") else finished(without_noncharacters(filled))
