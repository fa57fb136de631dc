"""Log lines are data, one each, and hold nothing that must not be read by others."""

import json
from collections.abc import Iterator

import pytest
import structlog

from mailer.logs import write_logs


@pytest.fixture(autouse=True)
def own_configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_an_exception_is_one_line_without_the_locals_of_its_frames(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_logs()
    secret = "canary-of-a-key"
    try:
        raise ValueError(f"{len(secret)}")
    except ValueError:
        structlog.get_logger().exception("clock.failed", job="feeds")
    written = capsys.readouterr().err
    assert "canary" not in written
    assert written.count("\n") == 1
    line = json.loads(written)
    assert (line["event"], line["job"], line["exception"][0]["exc_type"]) == (
        "clock.failed",
        "feeds",
        "ValueError",
    )


def test_a_value_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_logs()
    structlog.get_logger().info("feed.broken", problem='x\n{"event": "forged"}\x1b[2J')
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert "\x1b" not in written
