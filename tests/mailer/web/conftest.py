"""The pages on a small installation, and a client without cookies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.settings import Settings
from mailer.web.app import create_app
from subscribers.tokens import Keys
from tests.mailer.web.sample import Sample, fill, mailed_links, sample_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (60, 20), "#0b3d61").save(logo)
    return sample_settings("https://infomail.example.org").model_copy(update={"logo": logo})


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys.parse(settings.secret_keys.get_secret_value())


@pytest.fixture
def app(settings: Settings, database: Database) -> FastAPI:
    return create_app(settings, database)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="https://infomail.example.org", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def sample(database: Database) -> Sample:
    return fill(database)


@pytest.fixture
def links(keys: Keys, sample: Sample) -> dict[str, str]:
    return mailed_links(keys, sample)
