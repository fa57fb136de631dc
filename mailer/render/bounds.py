"""How much a template may do, and the counting that is written into it before it runs.

Counting alone is not enough: a list that holds itself twice, made so sixty times over, takes one
step to write or to compare and never ends. So values that a template makes hold no other such values.
"""

import math
import time
from collections.abc import Sized
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.visitor import NodeTransformer

T = TypeVar("T")


class TooMuch(SecurityError):
    """A template makes more, or takes more steps, than any mail needs."""


class TookLong(TooMuch):
    """A rendering was under way for longer than any mail needs."""

    def __init__(self) -> None:
        super().__init__("the template takes too long")


class Budget:
    """What is left of steps, characters and time to the rendering under way; none under way, no limit."""

    def __init__(self) -> None:
        self.end()

    def begin(self) -> None:
        self.steps: float = STEPS
        self.characters: float = CHARACTERS
        # the time of this thread: a machine under load makes no template guilty
        self.until = time.thread_time() + SECONDS

    def end(self) -> None:
        self.steps = self.characters = self.until = math.inf

    def count(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise TooMuch("the template takes too many steps")
        if time.thread_time() > self.until:
            raise TookLong

    def charge(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise TooMuch("the template writes too much")
        if time.thread_time() > self.until:
            raise TookLong

    def charged(self, value: T) -> T:
        """The value, its length paid for."""
        self.charge(len(value) if isinstance(value, Sized) else 1)
        return value

    def compared(self, value: T) -> T:
        """The value, paid for by the time it takes to look through it."""
        self.count(1 + len(value) // 1000 if isinstance(value, str) else 1)
        return value


#: passes of loops, calls, filters and comparisons in one rendering
STEPS = 50_000
#: characters one rendering makes; mails beyond a tenth of that are cut by Gmail
CHARACTERS = 1_000_000
#: twice over, since what took long is tried once more, and with compiling that stays below a second
SECONDS = 0.3
#: characters of one template as it is written
SOURCE = 100_000
#: parts of one template: what compiling it takes goes by them
PARTS = 5_000

# Names that no template can write, since they hold a blank.
COUNTED, CONCATENATED, CHARGED = "rows counted", "texts joined", "length charged"
COMPARED, SINGLE = "length looked through", "a single value"


class Bounds(NodeTransformer):
    """Puts filters round the rows of each loop, each `~`, slice and comparison, and what literals hold."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.parts = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        self.parts += 1
        if self.parts > PARTS:
            raise TooMuch(f"a template has at most {PARTS} names, texts and signs")
        return super().visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  Jinja's name
        if node.recursive:
            raise TemplateSyntaxError("loops cannot be recursive here", node.lineno, self.name)
        self.generic_visit(node)
        weight = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        node.iter = _filtered(node.iter, COUNTED, [nodes.Const(weight)])
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802  Jinja's name
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), CONCATENATED, [])

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Getitem:  # noqa: N802  Jinja's name
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(node.node, CHARGED, [])
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802  Jinja's name
        self.generic_visit(node)
        node.expr = _filtered(node.expr, COMPARED, [])
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, COMPARED, [])
        return node

    def visit_List(self, node: nodes.List) -> nodes.List:  # noqa: N802  Jinja's name
        self.generic_visit(node)
        node.items = [_filtered(item, SINGLE, []) for item in node.items]
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Tuple:  # noqa: N802  Jinja's name
        self.generic_visit(node)
        if node.ctx == "load":
            node.items = [_filtered(item, SINGLE, []) for item in node.items]
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802  Jinja's name
        self.generic_visit(node)
        node.key, node.value = (_filtered(each, SINGLE, []) for each in (node.key, node.value))
        return node

    def visit_Name(self, node: nodes.Name) -> nodes.Name:  # noqa: N802  Jinja's name
        if node.name in ("varargs", "kwargs"):  # tuples and mappings of whatever a macro is given
            raise TemplateSyntaxError(f"there is no {node.name} here", node.lineno, self.name)
        return node


def _filtered(node: nodes.Node, name: str, arguments: list[nodes.Expr]) -> nodes.Filter:
    filtered = nodes.Filter(node, name, arguments, [], None, None)
    filtered.set_lineno(node.lineno)
    if node.environment is not None:
        filtered.set_environment(node.environment)
    return filtered
