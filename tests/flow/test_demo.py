"""The whole river by itself: what it says, what lies in the inbox, a second run, a run cut off."""

import contextlib
import email
import email.policy
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailer.demo.place import only_one
from tests.flow.test_serve import is_up, until

INFOMAIL = [sys.executable, "-m", "mailer"]
KEYS = {
    "issue", "editions", "recipients", "sent", "failed", "bounced", "complained", "unsubscribed", "seconds",
    "inbox", "preview", "database",
}  # fmt: skip
PLAN = """\
timezone = "Europe/Berlin"
no_send_days = { country = "DE", region = "BW" }
[newsletter.rundbrief]
title = "Rundbrief"
list = "alle"
send = "mon 09:00"
[[newsletter.rundbrief.section]]
title = "Neues"
feeds = ["neues"]
[newsletter.kalender]
title = "Kalender"
list = "alle"
send = "fri 09:00"
release = "none"
[[newsletter.kalender.section]]
title = "Termine"
feeds = ["neues"]
[feed.neues]
url = "https://www.example.org/neues.xml"
municipality = "08111000"
"""


def demo(folder: Path, recipients: int, **settings: str) -> dict[str, Any]:
    answer = subprocess.run(
        [*INFOMAIL, "demo", "--dir", folder, "--recipients", str(recipients), "--json"],
        capture_output=True, text=True, env=os.environ | settings, check=True, umask=0,
    )  # fmt: skip
    account: dict[str, Any] = json.loads(answer.stdout)
    return account


def mails(folder: Path) -> list[EmailMessage]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in (folder / "inbox" / "new").iterdir()
    ]


def mails_of(folder: Path, issue: int) -> list[EmailMessage]:
    """Those of one issue, which names itself by its handle: no row id leaves the house."""
    with contextlib.closing(sqlite3.connect(folder / "infomail.sqlite")) as database:
        (handle,) = database.execute("SELECT handle FROM issues WHERE id = ?", [issue]).fetchone()
    return [mail for mail in mails(folder) if mail["Feedback-ID"].startswith(f"{handle % 2**64:016x}:")]


def test_everybody_gets_a_sound_mail_with_an_own_link_and_a_second_run_brings_only_news(
    tmp_path: Path,
) -> None:
    first = demo(tmp_path / "demo", 60)
    assert set(first) == KEYS
    assert (first["recipients"], first["sent"] + first["failed"]) == (60, 60)
    assert (first["bounced"], first["complained"], first["unsubscribed"]) == (1, 1, 1)
    assert first["editions"] > 1
    assert Path(first["preview"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert Path(first["database"]).exists()
    everything = [tmp_path / "demo", *(tmp_path / "demo").rglob("*")]
    assert [path for path in everything if path.stat().st_mode & 0o077] == []
    arrived = mails(tmp_path / "demo")
    issue = mails_of(tmp_path / "demo", first["issue"])
    by_clock = [mail for mail in arrived if ":termine:" in mail["Feedback-ID"]]
    assert len(issue) == 60
    # who bounced, complained or left gets nothing more
    assert len(by_clock) == 57
    assert len({mail["List-Unsubscribe"] for mail in arrived}) == len(arrived)
    assert all(not part.defects for mail in arrived for part in mail.walk())
    titles = _titles(tmp_path / "demo", first["issue"])

    second = demo(tmp_path / "demo", 60)
    assert second["recipients"] == 57
    news = _titles(tmp_path / "demo", second["issue"])
    assert news
    assert news.isdisjoint(titles)


@pytest.mark.parametrize("on_path", [True, False])
def test_the_command_it_ends_with_answers_the_links(tmp_path: Path, on_path: bool) -> None:
    program = tmp_path / "bin" / "infomail"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom mailer.cli import main\nmain()\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}" if on_path else "/usr/bin:/bin"
    environment = os.environ | {"PATH": path}
    called = "infomail" if on_path else "bin/infomail"
    told = subprocess.run(
        [called, "demo", "--dir", "the demo", "--recipients", "3"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    command = told.splitlines()[-1].partition(": ")[2]
    assert command == f"cd 'the demo' && {'infomail' if on_path else program} serve"
    serving = subprocess.Popen(
        command, shell=True, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        base = re.search("PUBLIC_URL=(.*)", (tmp_path / "the demo" / ".env").read_text(encoding="utf-8"))
        assert base
        until(lambda: is_up(base[1]))
    finally:
        os.killpg(serving.pid, signal.SIGTERM)
        serving.wait(30)


def _titles(folder: Path, issue: int) -> set[str]:
    answer = subprocess.run(
        [*INFOMAIL, "issues", "show", str(issue), "--json"], cwd=folder, capture_output=True, check=True
    )
    return {entry["title"] for entry in json.loads(answer.stdout)["entries"]}


def test_a_demo_that_is_killed_in_the_middle_is_carried_on_and_loses_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    cut_off = subprocess.Popen(
        [*INFOMAIL, "demo", "--dir", folder, "--recipients", "400", "--json"], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    inbox = folder / "inbox" / "new"
    while (not inbox.exists() or len(list(inbox.iterdir())) < 100) and time.monotonic() < deadline:
        time.sleep(0.02)
    cut_off.send_signal(signal.SIGKILL)
    cut_off.wait()
    assert 100 <= len(list(inbox.iterdir())) < 400
    account = demo(folder, 400)
    assert (account["recipients"], account["sent"]) == (400, 400)
    got = Counter(mail["To"] for mail in mails_of(folder, account["issue"]))
    assert len(got) == 400
    # four connections, one mail in flight on each
    assert sum(got.values()) - 400 <= 4


def _domain(address: str) -> str:
    return address.partition("@")[2]


def test_another_state_with_another_plan_runs_the_same_way(tmp_path: Path) -> None:
    register = tmp_path / "register"
    register.mkdir()
    (register / "municipalities.csv").write_text(
        "ags,name,kind,district,region\n08111000,Andersstadt,Stadtkreis,,\n08115,Landkreis Anders,Landkreis,,\n",
        encoding="utf-8",
    )
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "schedule.toml").write_text(PLAN, encoding="utf-8")
    account = demo(folder, 20, INFOMAIL_REGISTER_PATH=str(register), INFOMAIL_NETWORK="Netzwerk Anderswo")
    assert (account["recipients"], account["sent"]) == (20, 20)
    arrived = mails(folder)
    assert {mail["Feedback-ID"].split(":")[2] for mail in arrived} == {"rundbrief", "kalender"}
    assert {_domain(mail["To"]) for mail in arrived} == {"k08111000.example.org", "k08115.example.org"}
    for path in (folder / "inbox" / "new").iterdir():
        assert "NRW" not in path.read_text(encoding="utf-8")
    listed = subprocess.run(
        [*INFOMAIL, "municipalities", "list"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split("\t")[1] for line in listed.splitlines()] == ["Andersstadt", "Landkreis Anders"]


def test_two_demos_never_share_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with only_one(folder):
        second = subprocess.run(
            [*INFOMAIL, "demo", "--dir", folder, "--json"], capture_output=True, text=True, check=False
        )
    assert second.returncode == 1
    assert second.stderr == f"infomail: {folder}: another demo runs there\n"
