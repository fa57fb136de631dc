"""Templates filled with sample contexts, and what goes wrong told where it stands in the template."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError

from mailer.render.bounds import TooMuch
from mailer.render.check.findings import Finding
from mailer.render.check.outlook import ignored_by_outlook
from mailer.render.finish import BadPage
from mailer.render.parts import as_mailed
from mailer.render.selfcontained import NotSelfContained
from mailer.render.template import Environment

#: characters of a filled template; mail programs cut at a third of that
_LONGEST = 300_000


def tried(env: Environment, marked: Environment, name: str, context: Mapping[str, Any]) -> Iterator[Finding]:
    """Fill `name`, and if it is HTML make it as it is mailed. `marked` has the same templates as `env`."""
    try:
        filled = env.get_template(name).render(context)
        if not name.endswith((".mjml", ".html")):
            return
        if len(filled) > _LONGEST:
            raise TooMuch(f"this makes {len(filled)} characters; mail programs cut at 102,000")
        html = as_mailed(name, filled)
    except TemplateError as problem:
        yield told(problem, name)
    except (BadPage, NotSelfContained) as problem:
        yield _mapped(problem, filled, marked, name, context)
    else:
        for says in ignored_by_outlook(html):
            yield Finding(name, 0, says)


def told(problem: TemplateError, name: str) -> Finding:
    """A mistake of a template with the line it stands in; `name` is that of the template asked for."""
    file, line = name, 0
    if isinstance(problem, TemplateSyntaxError):
        file, line = problem.name or name, problem.lineno
    else:
        traceback = (problem.__cause__ or problem).__traceback__
        while traceback:
            template = traceback.tb_frame.f_globals.get("__jinja_template__")
            if template is not None:
                file = template.name or name
                line = template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
    return Finding(file, line, problem.message or type(problem).__name__)


def _mapped(
    problem: BadPage | NotSelfContained,
    filled: str,
    marked: Environment,
    name: str,
    context: Mapping[str, Any],
) -> Finding:
    """A mistake of what was made, told where it stands in what it was made of, if that can be found."""
    says = str(problem)
    if numbered := _LINE.match(says):
        line, says = int(numbered[1]), numbered[2]
    elif (at := _spoken_of(says, filled)) >= 0:
        line = filled.count("\n", 0, at) + 1
    else:
        return Finding(name, 0, _capital(problem, says))
    assert isinstance(marked, Marked)
    places = marked.lines(name, context, filled)
    file, line = places[min(line, len(places)) - 1] if places else (name, 0)
    return Finding(file, line, _capital(problem, says))


def _capital(problem: BadPage | NotSelfContained, says: str) -> str:
    return f"the mail would fetch or run something: {says}" if isinstance(problem, NotSelfContained) else says


def _spoken_of(says: str, filled: str) -> int:
    """Where the value stands that a message quotes, else the tag it names."""
    for pattern in (r"""=['"](.+)['"]>""", r"(<[\w:-]+)"):
        if (quoted := re.search(pattern, says)) and (at := filled.find(quoted[1])) >= 0:
            return at
    return -1


_LINE = re.compile(r"line (\d+): (.*)", re.DOTALL)
# Noncharacters: a mail that holds them is none, so nothing else writes them.
_MARK = re.compile("\ufdd0([0-9]+)\ufdd1")


class Marked(Environment):
    """Writes before each line of a template where it comes from."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._places: list[tuple[str, int]] = []

    def lines(self, name: str, context: Mapping[str, Any], filled: str) -> list[tuple[str, int]]:
        """Template and line that each line of `filled` comes from; [] if that cannot be told."""
        try:
            marked = self.get_template(name).render(context)
        except TemplateError:
            return []
        if _MARK.sub("", marked) != filled:
            return []
        found, last = [], (name, 1)
        for line in marked.split("\n"):
            marks = [self._places[int(mark)] for mark in _MARK.findall(line)]
            found.append(marks[0] if marks else last)
            last = marks[-1] if marks else last
        return found

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for data in tree.find_all(nodes.TemplateData):
            pieces = []
            for offset, line in enumerate(data.data.split("\n")):
                self._places.append((name or "", data.lineno + offset))
                pieces.append(f"\ufdd0{len(self._places) - 1}\ufdd1{line}" if line.strip() else line)
            data.data = "\n".join(pieces)
        return tree
