"""Names in templates, held against the contexts a kind is filled with, before anything is filled.

A sample context is the schema: what stands in none of a kind's samples is no name a template can
use. Where a value comes from (a loop over rows, an import, a macro's argument) is followed as far
as it can be known; what cannot be known is let through, and rendering tells.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateError

from mailer.render.bounds import TooMuch
from mailer.render.check.findings import Finding, nearest
from mailer.render.check.source import Sources
from mailer.render.template import ON_DATES, ON_ROWS, ON_TEXT


class Anything:
    """A value of which nothing is known."""


class Fields(dict[str, "Shape"]):
    """A value with these names and no others."""


class Rows:
    """Many values alike."""

    def __init__(self, each: "Shape") -> None:
        self.each = each


class Words:
    """A text, a number: what has but a few methods."""

    def __init__(self, methods: frozenset[str]) -> None:
        self.methods = methods


Shape = Anything | Fields | Rows | Words
ANYTHING = Anything()
_TEXT = Words(frozenset(ON_TEXT))
_DAY = Words(frozenset(ON_DATES))
_NUMBER = Words(frozenset())
#: names that Jinja gives by itself
_GIVEN = {"loop", "super", "self", "caller"}
_TRANSLATING = {"_": 1, "gettext": 1, "ngettext": 2}
_PLACE = re.compile(r"%\(([a-z_]+)\)s")


def shape_of(values: Iterable[Any]) -> Shape:
    """What these values, which may stand for each other, have in common; None says nothing of a shape."""
    said = [value for value in values if value is not None]
    if not said:
        return ANYTHING
    if all(isinstance(value, Mapping) for value in said):
        names = {name: None for value in said for name in value}
        return Fields({name: shape_of(value[name] for value in said if name in value) for name in names})
    if all(isinstance(value, (list, tuple)) for value in said):
        return Rows(shape_of(each for value in said for each in value))
    if all(isinstance(value, str) for value in said):
        return _TEXT
    if all(isinstance(value, date) for value in said):
        return _DAY
    return _NUMBER if all(isinstance(value, (int, float)) for value in said) else ANYTHING


#: steps of one look; templates that include each other crosswise would take forever
_MOST = 50_000


class Names:
    """Looks through a template and all it is made of. `findings` are told once each."""

    def __init__(self, sources: Sources, catalogue: frozenset[str]) -> None:
        self.findings: set[Finding] = set()
        self._sources = sources
        self._catalogue = catalogue
        self._globals = sources.env.globals
        self._file = ""
        self._within: list[str] = []
        #: blocks of a layout that are written anew by what extends it
        self._written_anew: frozenset[str] = frozenset()
        self._steps = 0

    def look(self, name: str, context: Shape) -> None:
        """Follow `name`, filled with `context`. Raises jinja2.exceptions.TemplateError."""
        self._template(name, dict(context) if isinstance(context, Fields) else {})

    def _template(self, name: str, scope: dict[str, Shape]) -> None:
        if name in self._within:
            return
        tree = self._sources.tree(name)
        before = self._file
        self._within.append(name)
        self._file = name
        try:
            self._body(tree.body, scope)
        except RecursionError as problem:
            raise TooMuch("the template is nested too deeply") from problem
        finally:
            self._within.pop()
            self._file = before

    def _others(
        self, node: nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends, scope: Any
    ) -> None:
        found = self._sources.first(self._sources.chosen(node))
        if found is not None:
            try:
                self._template(found, scope)
            except TooMuch:
                raise
            except TemplateError:
                pass  # told where that file itself is looked at

    def _body(self, body: Iterable[nodes.Node], scope: dict[str, Shape]) -> None:
        for node in body:
            self._node(node, scope)

    def _node(self, node: nodes.Node, scope: dict[str, Shape]) -> None:
        self._steps += 1
        if self._steps > _MOST:
            raise TooMuch("the template includes too much")
        visit: Callable[[Any, dict[str, Shape]], None] | None = getattr(
            self, f"_{type(node).__name__.lower()}", None
        )
        if isinstance(node, nodes.Expr):
            self._shape(node, scope)
        elif visit:
            visit(node, scope)
        else:
            self._body(node.iter_child_nodes(), scope)

    def _for(self, node: nodes.For, scope: dict[str, Shape]) -> None:
        rows = self._shape(node.iter, scope)
        inner = scope | {"loop": ANYTHING}
        self._bind(node.target, rows.each if isinstance(rows, Rows) else ANYTHING, inner)
        if node.test:
            self._shape(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, dict(scope))

    def _if(self, node: nodes.If, scope: dict[str, Shape]) -> None:
        self._shape(node.test, scope)
        self._body([*node.body, *node.elif_, *node.else_], scope)

    def _assign(self, node: nodes.Assign, scope: dict[str, Shape]) -> None:
        self._bind(node.target, self._shape(node.node, scope), scope)

    def _assignblock(self, node: nodes.AssignBlock, scope: dict[str, Shape]) -> None:
        self._body(node.body, dict(scope))
        self._bind(node.target, _TEXT, scope)

    def _with(self, node: nodes.With, scope: dict[str, Shape]) -> None:
        inner = dict(scope)
        for target, value in zip(node.targets, node.values, strict=True):
            self._bind(target, self._shape(value, scope), inner)
        self._body(node.body, inner)

    def _block(self, node: nodes.Block, scope: dict[str, Shape]) -> None:
        if node.name not in self._written_anew:
            self._body(node.body, dict(scope))

    def _macro(self, node: nodes.Macro, scope: dict[str, Shape]) -> None:
        for default in node.defaults:
            self._shape(default, scope)
        scope[node.name] = ANYTHING
        self._body(node.body, scope | {argument.name: ANYTHING for argument in node.args})

    def _callblock(self, node: nodes.CallBlock, scope: dict[str, Shape]) -> None:
        self._shape(node.call, scope)
        self._body(node.body, scope | {argument.name: ANYTHING for argument in node.args})

    def _extends(self, node: nodes.Extends, scope: dict[str, Shape]) -> None:
        before = self._written_anew
        blocks = self._sources.tree(self._file).find_all(nodes.Block)
        self._written_anew |= {block.name for block in blocks if not _calls_super(block)}
        self._others(node, scope)
        self._written_anew = before

    def _include(self, node: nodes.Include, scope: dict[str, Shape]) -> None:
        self._others(node, dict(scope) if node.with_context else {})

    def _import(self, node: nodes.Import, scope: dict[str, Shape]) -> None:
        self._others(node, dict(scope) if node.with_context else {})
        scope[node.target] = ANYTHING

    def _fromimport(self, node: nodes.FromImport, scope: dict[str, Shape]) -> None:
        self._others(node, dict(scope) if node.with_context else {})
        for name in node.names:
            scope[name if isinstance(name, str) else name[1]] = ANYTHING

    def _bind(self, target: nodes.Node, shape: Shape, scope: dict[str, Shape]) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = shape
        elif isinstance(target, nodes.Tuple):
            for each in target.items:
                self._bind(each, ANYTHING, scope)

    def _shape(self, node: nodes.Node, scope: dict[str, Shape]) -> Shape:
        """What an expression gives; mistakes in it are told."""
        self._steps += 1
        if isinstance(node, nodes.Name):
            return self._name(node, scope)
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            return self._part(node, scope)
        if isinstance(node, nodes.Filter):
            return self._filter(node, scope)
        if isinstance(node, nodes.Test):
            return self._test(node, scope)
        if isinstance(node, nodes.Call):
            return self._call(node, scope)
        shapes = [self._shape(each, scope) for each in node.iter_child_nodes()]
        if isinstance(node, nodes.Concat):
            return _TEXT
        if isinstance(node, nodes.Const):
            return shape_of([node.value])
        if isinstance(node, (nodes.Or, nodes.And)) and type(shapes[0]) is type(shapes[1]):
            return shapes[1]
        return ANYTHING

    def _name(self, node: nodes.Name, scope: Mapping[str, Shape]) -> Shape:
        if node.name in scope:
            return scope[node.name]
        if node.ctx == "load" and node.name not in self._globals and node.name not in _GIVEN:
            self._tell(node, f"there is no {node.name}{nearest(node.name, [*scope, *self._globals])}")
        return ANYTHING

    def _part(self, node: nodes.Getattr | nodes.Getitem, scope: dict[str, Shape]) -> Shape:
        whole = self._shape(node.node, scope)
        if isinstance(node, nodes.Getitem):
            if not isinstance(node.arg, nodes.Const):
                self._shape(node.arg, scope)
                return whole.each if isinstance(whole, Rows) else ANYTHING
            name = node.arg.value
        else:
            name = node.attr
        if isinstance(whole, Rows) and isinstance(name, int):
            return whole.each
        known = _parts(whole)
        if known is None or name in known:
            return whole.get(name, ANYTHING) if isinstance(whole, Fields) else ANYTHING
        said = _written(node)
        near = nearest(str(name), known)
        if near and (start := _written(node.node)):
            near = near.replace("; nearest is ", f"; nearest is {start}.")
        self._tell(node, f"there is no {said or name}{near}")
        return ANYTHING

    def _filter(self, node: nodes.Filter, scope: dict[str, Shape]) -> Shape:
        filters = self._sources.env.filters
        if node.name not in filters:
            self._tell(node, f"there is no filter {node.name}{nearest(node.name, filters)}")
        if node.name in ("default", "d") and node.node is not None:
            quiet = self.findings
            self.findings = set()  # what may be missing is made good
            given = self._shape(node.node, scope)
            self.findings = quiet
        else:
            given = self._shape(node.node, scope) if node.node is not None else ANYTHING
        for argument in (*node.args, *(each.value for each in node.kwargs)):
            self._shape(argument, scope)
        if node.name == "paragraphs":
            return Rows(_TEXT)
        if node.name == "first":
            return given.each if isinstance(given, Rows) else ANYTHING
        return ANYTHING if node.name in ("default", "d") else _TEXT

    def _test(self, node: nodes.Test, scope: dict[str, Shape]) -> Shape:
        tests = self._sources.env.tests
        if node.name not in tests:
            self._tell(node, f"there is no test {node.name}{nearest(node.name, tests)}")
        if node.name not in ("defined", "undefined"):
            self._shape(node.node, scope)
        for argument in node.args:
            self._shape(argument, scope)
        return ANYTHING

    def _call(self, node: nodes.Call, scope: dict[str, Shape]) -> Shape:
        self._shape(node.node, scope)
        for argument in (*node.args, *(each.value for each in node.kwargs)):
            self._shape(argument, scope)
        if isinstance(node.node, nodes.Name) and node.node.name in _TRANSLATING:
            self._translated(node, _TRANSLATING[node.node.name])
            return _TEXT
        return ANYTHING

    def _translated(self, node: nodes.Call, texts: int) -> None:
        messages = [each.value for each in node.args[:texts] if isinstance(each, nodes.Const)]
        filled = {each.key for each in node.kwargs} | ({"num"} if texts > 1 else set())
        for message in messages:
            for name in _PLACE.findall(str(message)):
                if name not in filled:
                    self._tell(node, f"%({name})s in the text has no value{nearest(name, filled)}")
        if messages and messages[0] not in self._catalogue:
            shown = str(messages[0])[:60]
            self.findings.add(
                Finding(self._file, node.lineno, f"the German catalogue does not know “{shown}”", warns=True)
            )

    def _tell(self, node: nodes.Node, says: str) -> None:
        self.findings.add(Finding(self._file, node.lineno, says))


def _parts(whole: Shape) -> Sequence[str] | None:
    if isinstance(whole, Fields):
        return [*whole, *sorted(ON_ROWS)]
    if isinstance(whole, Rows):
        return sorted(ON_ROWS)
    return sorted(whole.methods) if isinstance(whole, Words) else None


def _calls_super(block: nodes.Block) -> bool:
    return any(call.node == nodes.Name("super", "load") for call in block.find_all(nodes.Call))


def _written(node: nodes.Node) -> str:
    """ "issue.subject", if it is as simple as that."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        start = _written(node.node)
        return f"{start}.{node.attr}" if start else ""
    return ""
