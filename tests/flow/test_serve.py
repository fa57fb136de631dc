"""`infomail serve` as a process: pages, a newsletter that goes out by itself, a worker that is started again."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from mailer.feeds.model import Feed
from mailer.installation import Installation
from mailer.issues.model import Issue, IssueState
from subscribers.model import Subscription, SubscriptionState
from tests.flow.conftest import Sink, bring_items, enrol

SERVE = [sys.executable, "-m", "mailer", "serve"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


@contextlib.contextmanager
def serving(environment: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port, lmtp = free_port(), free_port()
    settings = {
        "INFOMAIL_HTTP_LISTEN": f"127.0.0.1:{port}",
        "INFOMAIL_LMTP_LISTEN": f"127.0.0.1:{lmtp}",
        "INFOMAIL_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            SERVE, env=os.environ | environment | settings, cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def is_up(base: str) -> bool:
    with contextlib.suppress(httpx2.HTTPError), httpx2.Client(trust_env=False) as client:
        return client.get(f"{base}/healthz").status_code == 200
    return False


def worker_of(process: subprocess.Popen[bytes]) -> int | None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = [pid for pid in children if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    return int(found[0]) if found else None


def is_alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


def plan_due_now(folder: Path, plan: str) -> None:
    """The weekly newsletter's slot is a minute ago."""
    now = datetime.now(UTC)
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[now.weekday()]
    text = plan.replace('send = "mon 07:30"', f'send = "{day} {now:%H:%M}"').replace(
        'timezone = "Europe/Berlin"', 'timezone = "UTC"'
    )
    (folder / "schedule.toml").write_text(text, encoding="utf-8")


def test_a_newsletter_without_a_hand_goes_out_and_its_links_work(
    house: Installation, sink: Sink, environment: dict[str, str], tmp_path: Path
) -> None:
    people = enrol(house, 5)
    bring_items(house, 1)
    plan_due_now(tmp_path, (tmp_path / "schedule.toml").read_text(encoding="utf-8"))
    with serving(environment, tmp_path) as (_, base):
        until(lambda: is_up(base))
        until(lambda: sink.accepted() == dict.fromkeys(people, 1))
        mail = sink.mails[people[0]][0].decode()
        found = re.search(r"List-Unsubscribe: <(http[^>]+)>", mail)
        assert found
        with httpx2.Client(trust_env=False) as client:
            assert "p…@example.org" in client.get(found[1]).text
            assert client.post(found[1], data={"List-Unsubscribe": "One-Click"}).status_code == 200
    with house.database.read() as session:
        left = session.scalars(
            select(Subscription).where(Subscription.state == SubscriptionState.UNSUBSCRIBED)
        ).one()
        issue = session.scalars(select(Issue).where(Issue.newsletter == "termine")).one()
        assert left.ended_through == issue.handle
        assert issue.state is IssueState.SENT


def test_a_killed_worker_is_started_again_and_all_end_with_serve(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    with serving(environment, tmp_path) as (process, base):
        until(lambda: is_up(base))
        until(lambda: worker_of(process))
        first = worker_of(process)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: worker_of(process) not in (None, first))
        second = worker_of(process)
        assert second is not None
        assert is_up(base)
        process.terminate()
        assert process.wait(20) == 0
        assert not is_alive(second)


def test_a_killed_serve_leaves_no_worker_behind(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    with serving(environment, tmp_path) as (process, base):
        until(lambda: is_up(base))
        until(lambda: worker_of(process))
        worker = worker_of(process)
        assert worker is not None
        process.kill()
        process.wait()
        until(lambda: not is_alive(worker))


def test_a_feed_that_never_answers_does_not_hold_up_the_end(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    plan = tmp_path / "schedule.toml"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        text = plan.read_text(encoding="utf-8")
        plan.write_text(
            text.replace("127.0.0.1:9/", f"127.0.0.1:{silent.getsockname()[1]}/"), encoding="utf-8"
        )
        with serving(environment, tmp_path) as (process, _):
            asking, _ = silent.accept()
            with asking:
                process.terminate()
                assert process.wait(10) == 0
    lines = (tmp_path / "serve.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if json.loads(line)["level"] == "error"] == []


@pytest.mark.parametrize(
    ("setting", "value", "line"),
    [
        ("INFOMAIL_SECRET_KEYS", "1:short", "INFOMAIL_SECRET_KEYS: "),
        ("INFOMAIL_HTTP_LISTEN", "nowhere", "INFOMAIL_HTTP_LISTEN: expected HOST:PORT, got 'nowhere'"),
        ("INFOMAIL_SMTP_URLS", "http://x", "INFOMAIL_SMTP_URLS: "),
        ("INFOMAIL_RETURN_PATH", "nobody", "INFOMAIL_RETURN_PATH: expected"),
        ("INFOMAIL_PUBLIC_URL", "nonsense", "INFOMAIL_PUBLIC_URL: expected http://HOST or https://HOST"),
        ("INFOMAIL_SENDER_ADDRESS", "a@b\r\nBcc: x", "INFOMAIL_SENDER_ADDRESS: expected an e-mail address"),
        ("INFOMAIL_HELLO_NAME", "a b", "INFOMAIL_HELLO_NAME: expected the name of a host"),
        ("INFOMAIL_DATABASE_URL", "mysql://x/y", "INFOMAIL_DATABASE_URL: expected sqlite:///FILE"),
        ("INFOMAIL_DATABASE_URL", "nonsense", "INFOMAIL_DATABASE_URL: expected sqlite:///FILE"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_starts(
    house: Installation, environment: dict[str, str], tmp_path: Path, setting: str, value: str, line: str
) -> None:
    answer = subprocess.run(
        SERVE, env=os.environ | environment | {setting: value}, cwd=tmp_path, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    assert line in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_broken_plan_is_named_with_its_lines_and_nothing_starts(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    plan = tmp_path / "schedule.toml"
    plan.write_text(
        plan.read_text(encoding="utf-8").replace("first tue 09:00", "tuesday 9"), encoding="utf-8"
    )
    answer = subprocess.run(
        SERVE,
        env=os.environ | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.returncode == 1
    assert re.search(
        r'schedule\.toml:5: newsletter\.infomail\.send: expected .*got "tuesday 9"', answer.stderr
    )


def test_a_taken_port_is_named_and_nothing_starts(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = subprocess.run(
            SERVE, env=os.environ | environment | {"INFOMAIL_HTTP_LISTEN": address, "INFOMAIL_LMTP_LISTEN": ""},
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert answer.returncode == 1
    assert f"INFOMAIL_HTTP_LISTEN: {address}: Address already in use" in answer.stderr


def test_a_changed_plan_is_taken_up_without_a_restart_and_a_bad_one_refused(
    house: Installation, sink: Sink, environment: dict[str, str], tmp_path: Path
) -> None:
    people = enrol(house, 2)
    bring_items(house, 1)
    plan, log = tmp_path / "schedule.toml", tmp_path / "serve.log"
    text = plan.read_text(encoding="utf-8")

    def events() -> list[str]:
        return [json.loads(line)["event"] for line in log.read_text(encoding="utf-8").splitlines()]

    in_three_days = f"{datetime.now(UTC) + timedelta(days=3):%A} 07:30".lower()
    plan.write_text(text.replace("mon 07:30", in_three_days), encoding="utf-8")
    with serving(environment, tmp_path) as (_, base):
        until(lambda: is_up(base))
        until(lambda: "worker.started" in events())
        plan.write_text(text.replace("mon 07:30", "mondays"), encoding="utf-8")
        until(lambda: "plan.refused" in events())
        another = '[feed.anderes]\nurl = "http://127.0.0.1:9/anderes.xml"\nallow_private = true\n'
        plan_due_now(tmp_path, text + another)
        until(lambda: "plan.taken_up" in events())
        until(lambda: sink.accepted() == dict.fromkeys(people, 1))
        assert events().count("plan.refused") == 1
        assert events().count("plan.taken_up") == 1
    with house.database.read() as session:
        assert session.get_one(Feed, "anderes").active
