"""All templates below some folders looked through: each file by itself, then each kind of mail as a whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2.exceptions import TemplateError
from markupsafe import Markup

from mailer.render.bounds import TooMuch
from mailer.render.check.findings import Finding, nearest
from mailer.render.check.markup import wrong_in_markup
from mailer.render.check.names import Names, shape_of
from mailer.render.check.source import Composer, Sources
from mailer.render.check.trial import Marked, told, tried
from mailer.render.parts import TEMPLATES, body_names, entry_names
from mailer.render.samples import NOTICES, entry_samples_of, samples_of
from mailer.render.template import environment
from mailer.translations import texts_known

_TEXTS = ("subject.txt", "body.txt")
_BLOCK = Markup('<h3>Meldung</h3><p>Text <a href="https://example.org/">Mehr</a></p>')


def kinds_of(folders: Sequence[Path]) -> list[str]:
    """The kinds of mail there are templates for. Folders with "_" in front are parts of others."""
    found = {path.name for folder in folders for path in folder.iterdir() if path.is_dir()}
    return sorted(name for name in found if not name.startswith(("_", ".")))


def check_templates(folders: Sequence[Path], *, zone: ZoneInfo, used: Iterable[str] = ()) -> list[Finding]:
    """What is wrong in the mail templates of `folders`, of which the first that has one wins.

    `used` are the kinds that the plan's newsletters name. Sorted, each finding once.
    """
    kinds = kinds_of(folders)
    found: set[Finding] = set()
    for name in set(used) - set(kinds):
        found.add(Finding(name, 0, f"the plan names this kind, and it has no folder{nearest(name, kinds)}"))
    checker = _Checker(folders, zone)
    found |= set(checker.files())
    for kind in kinds:
        found |= set(checker.kind(kind))
    return sorted(found)


class _Checker:
    def __init__(self, folders: Sequence[Path], zone: ZoneInfo) -> None:
        self._folders = folders
        self._envs = {language: environment(folders, language, zone=zone) for language in ("de", "en")}
        self._marked = {
            language: environment(folders, language, zone=zone, sort=Marked) for language in ("de", "en")
        }
        self._sources = Sources(self._envs["de"])

    def files(self) -> Iterator[Finding]:
        """What is wrong in a file whoever uses it."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder).as_posix()
                if path.suffix not in TEMPLATES or not path.is_file():
                    continue
                try:
                    self._sources.tree(name)
                except TemplateError as problem:
                    yield told(problem, name)
                if path.name == "body.html" and path.with_suffix(".mjml").exists():
                    yield Finding(name, 0, "there is body.mjml beside it, which is not used", warns=True)

    def kind(self, kind: str) -> Iterator[Finding]:
        """What is wrong in a kind of mail."""
        samples = samples_of(kind)
        for name in _TEXTS:
            path = f"{kind}/{name}"
            if self._sources.first([path]) is None:
                yield Finding(path, 0, "there is no such file")
            else:
                yield from self._part(path, samples, samples)
        body = self._sources.first(body_names(kind))
        if body is None:
            yield Finding(f"{kind}/body.mjml", 0, "there is neither this file nor body.html")
        elif kind in NOTICES:
            yield from self._part(body, samples, samples)
        else:
            with_blocks = [_with_blocks(each) for each in samples]
            yield from self._part(body, with_blocks, with_blocks)
            entry = self._sources.first(entry_names(kind))
            if entry is not None:
                yield from self._part(entry, entry_samples_of(kind), entry_samples_of(kind)[::4])

    def _part(
        self, name: str, schema: Sequence[Mapping[str, Any]], samples: Sequence[Mapping[str, Any]]
    ) -> Iterator[Finding]:
        """First as it is written; only what is right there is filled, or the same would be told twice."""
        try:
            written = self._written(name, schema)
        except RecursionError:
            written = {Finding(name, 0, "the template is nested too deeply")}
        except TooMuch as problem:
            written = {told(problem, name)}
        except TemplateError:
            return  # told for the file it stands in
        yield from written
        if all(each.warns for each in written):
            for context in samples:
                language = context["language"]
                yield from tried(self._envs[language], self._marked[language], name, context)

    def _written(self, name: str, schema: Sequence[Mapping[str, Any]]) -> set[Finding]:
        names = Names(self._sources, texts_known("de"))
        names.look(name, shape_of(schema))
        composer = Composer(self._sources)
        pieces = composer.page(name)
        found = names.findings | composer.findings
        if name.endswith((".mjml", ".html")):
            found |= wrong_in_markup(pieces, whole=True)
            for fragment in composer.fragments:
                found |= wrong_in_markup(fragment, whole=False)
        return found


def _with_blocks(context: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **context,
        "sections": [
            {**section, "entries": [{**entry, "block": _BLOCK} for entry in section["entries"]]}
            for section in context["sections"]
        ],
    }
