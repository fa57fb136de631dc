"""From a template to a response: languages, links, and what stands on every page."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailer.render.dates import long_date, when
from mailer.settings import Settings
from mailer.shipped import shipped
from mailer.translations import LANGUAGES, translations

#: the settings that templates see: what stands in the imprint, and no secret
_SHOWN = (
    "public_url",
    "network",
    "sender_name",
    "sender_street",
    "sender_city",
    "sender_represented_by",
    "sender_email",
    "sender_phone",
    "sender_responsible",
)

#: entries of an Accept-Language header that are looked at
_FEW = 20


class Pages:
    """The templates below templates/web, an own folder's before the shipped ones."""

    def __init__(self, settings: Settings, assets: str) -> None:
        self.folders = [folder for folder in (settings.templates, shipped("templates")) if folder.is_dir()]
        #: PUBLIC_URL may have a path; links carry it and no host
        self._path = urlsplit(settings.public_url).path.rstrip("/")
        shown = {
            "site": {name: getattr(settings, name) for name in _SHOWN},
            "privacy_url": web_link(settings.sender_privacy_url),
            "asset": lambda name: f"{self._path}/static/{assets}/{name}",
            # of what has no language to choose
            "address": lambda path: f"{self._path}{path}",
            "languages": LANGUAGES,
        }
        self._environments = {language: _environment(self.folders, language, shown) for language in LANGUAGES}

    def respond(self, request: Request, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
        """The page `template` (below web/) in the reader's language."""
        language = language_of(request)
        html = self.render(template, language, **context, link=self._links(request))
        return HTMLResponse(html, status, headers={"Content-Language": language, "Vary": "Accept-Language"})

    def render(self, template: str, language: str, /, **context: Any) -> str:
        """The template below web/ in a language of ours."""
        found = self._environments[language].get_template(f"web/{template}")
        return found.render(context | {"language": language})

    def _links(self, request: Request) -> Any:
        """Links to pages of ours, in the language that was chosen by hand if one was."""
        chosen = _chosen(request)

        def link(path: str, **query: object) -> str:
            asked = {name: value for name, value in (query | {"lang": chosen}).items() if value}
            return f"{self._path}{path}" + (f"?{urlencode(asked)}" if asked else "")

        return link


def language_of(request: Request) -> str:
    """The language of the page: `?lang=`, else what the browser prefers, else German."""
    return _chosen(request) or preferred(request.headers.get("accept-language", ""))


def _chosen(request: Request) -> str:
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else ""


def preferred(accept_language: str) -> str:
    """The language we have that the header ranks highest (RFC 9110 12.5.4); the first of ours if none."""
    best, best_quality = LANGUAGES[0], 0.0
    for entry in accept_language.split(",")[:_FEW]:
        tag, _, parameter = entry.partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(parameter)
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def web_link(url: str) -> str:
    """`url` if it may stand behind a link of ours, else ""."""
    return url if urlsplit(url).scheme in ("http", "https") else ""


def _environment(folders: list[Path], language: str, shown: Mapping[str, Any]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folders),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    environment.globals.update(shown)
    # days only: they are the same in every zone; moments go through `day` and `when`, which want one
    environment.filters["longdate"] = partial(long_date, language=language, zone=ZoneInfo("UTC"))
    environment.filters["day"] = partial(long_date, language=language)
    environment.filters["when"] = partial(when, language=language)
    return environment
