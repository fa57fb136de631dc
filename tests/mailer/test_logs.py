"""Log lines are data, one each, and hold nothing that must not be read by others."""

import json
import logging

import pytest
import structlog

from mailer.logs import write_logs


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


def test_what_a_library_warns_of_is_an_event_without_what_it_filled_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_logs()
    logging.getLogger("apscheduler.scheduler").warning('Execution of "%s" skipped', "a@example.org")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("library.warned", "warning")
    assert (line["logger"], line["message"]) == ("apscheduler.scheduler", 'Execution of "%s" skipped')


def test_an_address_or_token_in_what_a_library_says_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    write_logs()
    token = "abcdefghi" * 5
    logging.getLogger("mail").error(f"<a.b+{token}@example.org>: GET /abmelden/{token} and /{token.upper()}?")
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "<***>: GET /abmelden/*** and /***?"


def test_an_exception_of_a_library_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_logs()
    try:
        raise ValueError
    except ValueError:
        logging.getLogger("asyncio").exception("never\nretrieved")
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert json.loads(written)["exception"][0]["exc_type"] == "ValueError"


def test_libraries_that_only_tell_stay_silent(capsys: pytest.CaptureFixture[str]) -> None:
    write_logs()
    logging.getLogger("httpx2").setLevel(logging.INFO)
    logging.getLogger("httpx2").info("GET")
    logging.getLogger("httpx2").setLevel(logging.NOTSET)
    assert capsys.readouterr().err == ""
