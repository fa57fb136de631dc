"""Where mail templates run: in a sandbox, since editors write them, and within bounds.

The sandbox of Jinja keeps a template away from Python; it does not keep it from working forever
or from filling memory. So loops and calls are counted, text is weighed as it is made, and of
filters and methods only those are here that a mail has use for.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from gettext import NullTranslations
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import DictLoader, FileSystemLoader, StrictUndefined, Template, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError, TemplateRuntimeError
from jinja2.ext import InternationalizationExtension
from jinja2.filters import do_default
from jinja2.runtime import Context, Undefined, markup_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import Namespace
from markupsafe import Markup, escape

from mailer.render.bounds import (
    CHARACTERS,
    CHARGED,
    COMPARED,
    CONCATENATED,
    COUNTED,
    SINGLE,
    SOURCE,
    STEPS,
    Bounds,
    Budget,
    TookLong,
    TooMuch,
)
from mailer.render.dates import long_date, when
from mailer.render.sanitize import plain_text
from mailer.translations import translations


def environment(
    templates: Sequence[Path] | Mapping[str, str],
    language: str,
    *,
    zone: ZoneInfo,
    sort: "type[Environment] | None" = None,
) -> "Environment":
    """Templates from folders, the first that has one wins, or from their sources by name.

    Texts and dates are in `language`.

    `.mjml` and `.html` are escaped, `.txt` is not; a name that is not in the context is an error.
    Filters of our own: `longdate` and `when(ends)`, both in `zone`; for text parts `plaintext` of
    HTML, `paragraphs`, `wrapped(lead)` and `underlined(mark, lead)`. Every mistake of a template
    raises jinja2.exceptions.TemplateError, what it must not do its SecurityError. One thread uses an
    environment at a time. `sort` is a kind of Environment that does more than that.
    """
    env = (sort or Environment)(
        loader=DictLoader(templates) if isinstance(templates, Mapping) else FileSystemLoader(list(templates)),
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith((".mjml", ".html")),
        extensions=[InternationalizationExtension],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.translate_with(translations(language))
    env.filters["longdate"] = partial(long_date, language=language, zone=zone)
    env.filters["when"] = partial(when, language=language, zone=zone)
    return env


_LONGEST_RANGE = 1_000
_COLUMNS = 72
_LONGEST_LEAD = 8
_INCLUDE = 100  # steps that including another template counts for
#: what Python raises where a template asks for something senseless
_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)

#: what a template may call of texts, of rows and names, and of days
ON_TEXT = {"upper", "lower", "strip", "startswith", "endswith"}
ON_ROWS = {"items", "keys", "values", "get"}
ON_DATES = {"year", "month", "day", "hour", "minute", "date", "time", "weekday", "isoformat"}
#: values that turn into text of a length known beforehand
_PLAIN = (str, int, float, date, type(None), Undefined)
#: of Jinja's tests those that cost the same whatever is tested
_TESTS = (
    "defined", "undefined", "none", "true", "false", "boolean", "even", "odd", "divisibleby", "number",
    "string", "mapping", "sequence",
)  # fmt: skip


class _Rendering(Template):
    def render(self, *args: Any, **kwargs: Any) -> str:
        context = dict(*args, **kwargs)
        try:
            return self._within_budget(context)
        except TookLong:
            # a pause of the machine, or of the interpreter to collect garbage, makes no template guilty
            return self._within_budget(context)

    def _within_budget(self, context: dict[str, Any]) -> str:
        env = self.environment
        assert isinstance(env, Environment)
        pieces: list[str] = []
        length = 0
        env.budget.begin()
        try:
            for piece in self.root_render_func(self.new_context(context)):
                length += len(piece)
                if length > CHARACTERS:
                    raise TooMuch("the template writes too much")
                pieces.append(piece)
        except TemplateError:
            raise
        except RecursionError as problem:
            raise TooMuch("the template calls itself too often") from problem
        except _MISTAKES as problem:
            raise TemplateRuntimeError(f"{type(problem).__name__}: {problem}") from problem
        finally:
            env.budget.end()
        return "".join(pieces)


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with bounds on time and memory."""

    template_class = _Rendering
    intercepted_binops = frozenset({"+", "*", "**", "%", "-", "/", "//"})

    def __init__(self, **options: Any) -> None:
        @pass_context
        def finalize(_: Context, value: Any) -> Any:
            return self._weighed(value)

        # Nothing is worked out while a template is compiled: no budget runs then, and Jinja tries each
        # part of an expression again for each part around it. `finalize` asks for the context for that only.
        super().__init__(finalize=finalize, optimized=False, **options)
        self.budget = Budget()
        self.globals = {"range": self._range, "namespace": Namespace}
        self.tests = {name: TESTS[name] for name in _TESTS}
        written: dict[str, Callable[..., Any]] = {
            "default": do_default,
            "d": do_default,
            "escape": self._of_text(escape),
            "e": self._of_text(escape),
            "safe": self._of_text(Markup),
            "upper": self._of_text(lambda text: text.upper()),
            "lower": self._of_text(lambda text: text.lower()),
            "trim": self._of_text(lambda text: text.strip()),
            "plaintext": self._of_text(plain_text),
            "paragraphs": lambda text: [
                part.strip() for part in self._as_text(text).split("\n\n") if part.strip()
            ],
            "wrapped": lambda text, lead="": _wrapped(self._as_text(text), self._as_text(lead)),
            "underlined": self._underlined,
            "length": len,
            "count": len,
            "first": lambda rows: next(iter(rows)),
            "join": self._join,
        }
        self.filters = {name: self._one_step(work) for name, work in written.items()} | {
            COUNTED: self._counted,
            CONCATENATED: self._concatenated,
            CHARGED: self.budget.charged,
            COMPARED: self.budget.compared,
            SINGLE: _single,
        }

    def translate_with(self, catalogue: NullTranslations) -> None:
        """Texts from `catalogue`, with names filled in, and no more than that of what `%` can do."""
        # unlike Jinja's own, these weigh what is filled in
        self.newstyle_gettext = True

        @pass_context
        def gettext(context: Context, message: str, /, **values: Any) -> str:
            return self._filled(context, catalogue.gettext(message), values)

        @pass_context
        def ngettext(context: Context, one: str, many: str, number: int, /, **values: Any) -> str:
            return self._filled(context, catalogue.ngettext(one, many, number), {"num": number} | values)

        self.globals |= {"gettext": gettext, "_": gettext, "ngettext": ngettext}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As in Jinja's sandbox, and of plain values only what is cheap."""
        if isinstance(obj, str):
            return attr in ON_TEXT
        if isinstance(obj, (Mapping, list, tuple, set)):
            return attr in ON_ROWS
        if isinstance(obj, date):
            return attr in ON_DATES
        if isinstance(obj, (int, float, bytes)):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """No str.format: a width in it makes gigabytes. Without a wrapper it is a method like any other."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on small numbers, and putting two texts together."""
        numbers = all(isinstance(value, (int, float)) and abs(value) < 1e9 for value in (left, right))
        if operator == "**" or not (
            numbers or (operator == "+" and isinstance(left, (str, timedelta, date)))
        ):
            raise SecurityError(f"templates cannot use {operator} here")
        result = super().call_binop(context, operator, left, right)
        self._weighed(result)
        return result

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  Jinja's own signature
        """Every call counts, and so does the text it makes."""
        __self.budget.count(1)
        made = super().call(__context, __obj, *args, **kwargs)
        return __self.budget.charged(made) if isinstance(made, str) else made

    def _load_template(self, *args: Any, **kwargs: Any) -> Template:
        """Every include counts, and more, whichever way it is written."""
        self.budget.count(_INCLUDE)
        try:
            return super()._load_template(*args, **kwargs)
        except (RecursionError, SyntaxError, MemoryError) as problem:  # the last is Python's for "too deep"
            raise TooMuch("the template is nested too deeply") from problem

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > SOURCE:
            raise TooMuch(f"a template has at most {SOURCE} characters")
        tree = super()._parse(source, name, filename)
        Bounds(name).visit(tree)
        return tree

    def _weighed(self, value: Any) -> Any:
        if not isinstance(value, _PLAIN) and not hasattr(value, "__html__"):
            raise SecurityError(f"a template cannot write a {type(value).__name__}")
        self.budget.charge(len(value) if isinstance(value, str) else 30)
        return value

    def _of_text(self, work: Callable[[str], str]) -> Callable[[Any], str]:
        return lambda value: work(self._as_text(value))

    def _as_text(self, value: Any) -> str:
        value = self._weighed(value)
        return value if isinstance(value, str) else str(value)

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        if len(numbers) > _LONGEST_RANGE:
            raise TooMuch(f"a range in a template has at most {_LONGEST_RANGE} numbers")
        return numbers

    def _counted(self, rows: Iterable[Any], weight: int) -> Iterator[Any]:
        """The rows of a loop, each paid for beforehand with what the loop writes by itself."""
        found = list(islice(rows, STEPS + 1))
        self.budget.count(len(found))
        self.budget.charge(weight * len(found))
        for row in found:
            self.budget.count(0)  # what is done with a row may take long without any step
            yield row

    def _one_step(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.budget.count(1)
            return work(*args, **kwargs)

        return counted

    def _join(self, rows: Iterable[Any], between: str = "") -> str:
        between = self._as_text(between)
        texts = [
            piece for row in self._counted(rows, len(between)) for piece in (between, self._as_text(row))
        ]
        return markup_join(texts[1:])

    def _underlined(self, value: Any, mark: str = "-", lead: str = "") -> str:
        text = _wrapped(self._as_text(value), self._as_text(lead))
        longest = max(len(line) for line in text.split("\n"))
        return f"{text}\n{self._as_text(mark)[:1] * min(longest, _COLUMNS)}"

    def _filled(self, context: Context, message: str, values: dict[str, Any]) -> str:
        if "%" in _FORMAT.sub("", message):
            raise SecurityError("a text to translate holds %, but no name")
        texts = {name: self._as_text(value) for name, value in values.items()}
        self.budget.charge(sum(len(texts[name]) for name in _NAMED.findall(message)))
        return (Markup(message) if context.eval_ctx.autoescape else message) % texts  # noqa: S704  a text of ours

    def _concatenated(self, values: Iterable[Any]) -> str:
        return markup_join([self._as_text(value) for value in values])


def _wrapped(text: str, lead: str = "") -> str:
    """One paragraph in lines for the text part, hanging from `lead`; a longer word stays whole."""
    lead = lead[:_LONGEST_LEAD]
    return textwrap.fill(
        text,
        _COLUMNS,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _single(value: Any) -> Any:
    if not isinstance(value, _PLAIN):
        raise SecurityError(f"a literal cannot hold a {type(value).__name__}")
    return value


_NAMED = re.compile(r"%\(([a-z_]+)\)s")
_FORMAT = re.compile(rf"%%|{_NAMED.pattern}")
