"""Templates as they are written, put together as Jinja would, and nothing worked out.

What a page is made of (the layout it extends, its blocks, what it includes) becomes one row of
pieces, each with its file and line; what an expression writes is a hole, and what stands in one
branch or another stands in a fork.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from jinja2 import nodes
from jinja2.exceptions import TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.parser import Parser

from mailer.render.bounds import PARTS, SOURCE, TooMuch
from mailer.render.check.findings import Finding
from mailer.render.template import Environment

#: stands for whatever an expression writes
HOLE = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Text:
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Fork:
    """Of these rows one is written, or the first again and again, or none."""

    branches: tuple[tuple["Piece", ...], ...]


Piece = Text | Fork
#: what names another template
Naming = nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends
#: what writes just what stands in it
_PLAIN = (nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier, nodes.FilterBlock)
_Block = tuple[str, nodes.Block]


class Sources:
    """The trees of templates, each parsed once."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._trees: dict[str, nodes.Template | TemplateError] = {}

    def tree(self, name: str) -> nodes.Template:
        """Raises jinja2.exceptions.TemplateError."""
        if name not in self._trees:
            self._trees[name] = self._parsed(name)
        found = self._trees[name]
        if isinstance(found, TemplateError):
            raise found
        return found

    def _parsed(self, name: str) -> nodes.Template | TemplateError:
        assert self.env.loader is not None
        try:
            source = self.env.loader.get_source(self.env, name)[0]
            if len(source) > SOURCE:
                return TooMuch(f"a template has at most {SOURCE} characters")
            tree = Parser(self.env, source, name).parse()
            if sum(1 for _ in tree.find_all(nodes.Node)) > PARTS:
                return TooMuch(f"a template has at most {PARTS} names, texts and signs")
        except TemplateError as problem:
            return problem
        except (RecursionError, MemoryError):
            return TooMuch("the template is nested too deeply")
        except UnicodeDecodeError:
            return TemplateSyntaxError("this is not UTF-8", 1, name)
        return tree

    def chosen(self, node: Naming) -> list[str]:
        """What it names; nothing where that is known only when it runs."""
        wanted = node.template
        names = wanted.items if isinstance(wanted, (nodes.List, nodes.Tuple)) else [wanted]
        if not all(isinstance(each, nodes.Const) and isinstance(each.value, str) for each in names):
            return []
        return [each.value for each in names if isinstance(each, nodes.Const)]

    def first(self, names: Sequence[str]) -> str | None:
        """The first that exists."""
        assert self.env.loader is not None
        for name in names:
            try:
                self.env.loader.get_source(self.env, name)
            except TemplateNotFound:
                continue
            except UnicodeDecodeError:
                pass
            return name
        return None


#: pieces of one page; no mail has a tenth of that
_MOST = 20_000


@dataclass(slots=True)
class Composer:
    """Puts one page together. `findings` says which templates are missing or include themselves."""

    sources: Sources
    findings: set[Finding] = field(default_factory=set)
    #: what is written for later: macros and texts that are set
    fragments: list[tuple[Piece, ...]] = field(default_factory=list)
    _within: list[str] = field(default_factory=list)
    _made: int = 0

    def page(self, name: str) -> tuple[Piece, ...]:
        """All that `name` may write. Raises jinja2.exceptions.TemplateError for what cannot be parsed."""
        depth = len(self._within)
        self._within.append(name)
        try:
            tree = self.sources.tree(name)
            blocks: dict[str, list[_Block]] = {}
            self._know(name, tree, blocks)
            while (extends := tree.find(nodes.Extends)) is not None:
                parent = self._found(name, extends)
                if parent is None:
                    return ()
                if parent in self._within:
                    self.findings.add(Finding(name, extends.lineno, f"{parent} includes itself"))
                    return ()
                self._within.append(parent)
                name, tree = parent, self.sources.tree(parent)
                self._know(name, tree, blocks)
            return tuple(self._written(name, tree.body, blocks, None))
        finally:
            del self._within[depth:]

    def _know(self, name: str, tree: nodes.Template, blocks: dict[str, list[_Block]]) -> None:
        for block in tree.find_all(nodes.Block):
            blocks.setdefault(block.name, []).append((name, block))

    def _found(self, file: str, node: nodes.Include | nodes.Extends) -> str | None:
        names = self.sources.chosen(node)
        found = self.sources.first(names)
        if names and found is None and not getattr(node, "ignore_missing", False):
            self.findings.add(Finding(file, node.lineno, f"there is no template {' or '.join(names)}"))
        return found

    def _written(
        self,
        file: str,
        body: Sequence[nodes.Node],
        blocks: dict[str, list[_Block]],
        around: tuple[str, int] | None,
    ) -> Iterator[Piece]:
        for node in body:
            self._made += 1
            if self._made > _MOST:
                raise TooMuch("the template includes too much")
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    yield from self._output(file, part, blocks, around)
            elif isinstance(node, nodes.If):
                rows = [node.body, *(each.body for each in node.elif_), node.else_]
                yield Fork(tuple(tuple(self._written(file, row, blocks, around)) for row in rows))
            elif isinstance(node, nodes.For):
                rows = [node.body, node.else_]
                yield Fork(tuple(tuple(self._written(file, row, blocks, around)) for row in rows))
            elif isinstance(node, nodes.Block):
                if node.name in blocks:
                    yield from self._block(node.name, 0, blocks)
            elif isinstance(node, nodes.Include):
                yield from self._included(file, node)
            elif isinstance(
                node, (nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier, nodes.FilterBlock)
            ):
                yield from self._written(file, node.body, blocks, around)
            elif isinstance(node, (nodes.Macro, nodes.AssignBlock, nodes.CallBlock)):
                self.fragments.append(tuple(self._written(file, node.body, blocks, around)))
                if isinstance(node, nodes.CallBlock):
                    yield Text(file, node.lineno, HOLE)

    def _output(
        self, file: str, part: nodes.Node, blocks: dict[str, list[_Block]], around: tuple[str, int] | None
    ) -> Iterator[Piece]:
        if isinstance(part, nodes.TemplateData):
            yield Text(file, part.lineno, part.data)
        elif around and isinstance(part, nodes.Call) and part.node == nodes.Name("super", "load"):
            yield from self._block(around[0], around[1] + 1, blocks)
        else:
            yield Text(file, part.lineno, HOLE)

    def _block(self, name: str, depth: int, blocks: dict[str, list[_Block]]) -> Iterator[Piece]:
        if depth < len(blocks[name]):
            file, block = blocks[name][depth]
            yield from self._written(file, block.body, blocks, (name, depth))

    def _included(self, file: str, node: nodes.Include) -> Iterator[Piece]:
        found = self._found(file, node)
        if found is None:
            return
        if found in self._within:
            self.findings.add(Finding(file, node.lineno, f"{found} includes itself"))
            return
        with suppress(TemplateSyntaxError):  # told where that file itself is looked at
            yield from self.page(found)
