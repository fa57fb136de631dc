"""A changed schedule file is taken up while we run; a bad one, a half one and none at all change nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from mailer.installation import Installation, open_installation
from mailer.planfile import Standing
from mailer.settings import Settings

PLAN = """\
timezone = "Europe/Berlin"
[newsletter.n]
title = "N"
list = "netzwerk"
send = "mon 09:00"
[[newsletter.n.section]]
title = "S"
feeds = ["a"]
[feed.a]
url = "https://a.example.org/"
"""
TWO = PLAN + '[feed.b]\nurl = "https://b.example.org/"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.toml"
    path.write_text(PLAN, encoding="utf-8")
    return path


@pytest.fixture
def house(file: Path, tmp_path: Path, migrated_sqlite: Path) -> Iterator[Installation]:
    (tmp_path / "infomail.sqlite").write_bytes(migrated_sqlite.read_bytes())
    key = SecretStr("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
    settings = Settings(
        _env_file=None, schedule=file, database_url=SecretStr(f"sqlite:///{tmp_path}/infomail.sqlite"),
        secret_keys=SecretStr(f"1:{key.get_secret_value()}"), suppression_key=key,
        smtp_urls=SecretStr("smtp://127.0.0.1:9"), return_path="bounce+{token}@example.org",
        sender_address="infomail@example.org",
    )  # fmt: skip
    with open_installation(settings) as opened:
        yield opened


class Watch:
    """A standing installation, looked at by hand."""

    def __init__(self, house: Installation) -> None:
        self.taken: list[list[str]] = []
        self.broken = False
        self.standing = Standing(house, taken_up=self._take_up)
        self.looks()

    def _take_up(self, changed: Installation) -> None:
        if self.broken:
            raise OSError("the database does not answer")
        self.taken.append(list(changed.plan.feeds))

    def looks(self, times: int = 2) -> list[dict[str, object]]:
        """Look so many times; what was logged."""
        with capture_logs() as logged:
            for _ in range(times):
                self.standing.look()
        return [dict(each) for each in logged]

    @property
    def feeds(self) -> list[str]:
        return list(self.standing.house.plan.feeds)


@pytest.fixture
def watch(house: Installation) -> Watch:
    return Watch(house)


def test_a_good_change_is_taken_up_once_it_has_come_to_rest(
    watch: Watch, house: Installation, file: Path
) -> None:
    file.write_text(TWO, encoding="utf-8")
    assert watch.looks(1) == []
    assert watch.feeds == ["a"]
    assert [each["event"] for each in watch.looks(5)] == ["plan.taken_up"]
    assert (watch.feeds, watch.taken) == (["a", "b"], [["a", "b"]])
    assert list(house.plan.feeds) == ["a"], "who works on the old value goes on with it"


def test_a_bad_change_is_logged_once_with_every_problem_and_its_line(watch: Watch, file: Path) -> None:
    bad = PLAN.replace("mon 09:00", "monday 9").replace('list = "netzwerk"', "list = 7")
    file.write_text(bad, encoding="utf-8")
    (logged,) = watch.looks(6)
    assert (logged["event"], logged["log_level"]) == ("plan.refused", "error")
    problems = logged["problems"]
    assert isinstance(problems, list)
    assert [each.split(": ")[0] for each in problems] == ["schedule.toml:4", "schedule.toml:5"]
    assert (watch.feeds, watch.taken) == (["a"], [])
    file.write_text(bad + "# still", encoding="utf-8")
    assert [each["event"] for each in watch.looks(6)] == ["plan.refused"], "another change, another line"
    file.write_text(TWO, encoding="utf-8")
    assert [each["event"] for each in watch.looks(6)] == ["plan.taken_up"]


@pytest.mark.parametrize("length", [0, 1, 60, len(TWO) - 30, len(TWO) - 1])
def test_a_file_that_is_being_written_is_left_to_the_next_look(watch: Watch, file: Path, length: int) -> None:
    file.write_text(TWO[:length], encoding="utf-8")
    assert watch.looks(1) == []
    file.write_text(TWO, encoding="utf-8")
    assert [each["event"] for each in watch.looks(3)] == ["plan.taken_up"]
    assert watch.taken == [["a", "b"]]


def test_a_file_that_is_gone_or_unreadable_leaves_the_plan_and_is_said_once(watch: Watch, file: Path) -> None:
    away = file.with_suffix(".away")
    file.rename(away)
    (logged,) = watch.looks(5)
    assert "schedule.toml: No such file or directory" in str(logged["problems"])
    assert watch.feeds == ["a"]
    away.rename(file)
    assert watch.looks(5) == [], "back as it was"
    file.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in str(watch.looks(5)[0]["problems"])
    assert (watch.feeds, watch.taken) == (["a"], [])


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_a_change(watch: Watch, file: Path) -> None:
    before = file.stat()
    other = file.with_name("new.toml")
    other.write_text(PLAN.replace("mon 09:00", "tue 10:00"), encoding="utf-8")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert [each["event"] for each in watch.looks(3)] == ["plan.taken_up"]


def test_a_touched_file_is_no_change(watch: Watch, file: Path) -> None:
    os.utime(file, ns=(1, 1))
    assert watch.looks(4) == []
    assert watch.taken == []


def test_a_change_before_the_first_look_is_not_missed(house: Installation, file: Path) -> None:
    file.write_text(TWO, encoding="utf-8")
    assert Watch(house).feeds == ["a", "b"]


def test_what_could_not_be_taken_up_is_tried_again_and_does_not_stand_before(
    watch: Watch, file: Path
) -> None:
    watch.broken = True
    file.write_text(TWO, encoding="utf-8")
    for _ in range(2):
        with pytest.raises(OSError, match="does not answer"):
            watch.looks(2)
        assert watch.feeds == ["a"]
    watch.broken = False
    assert [each["event"] for each in watch.looks(1)] == ["plan.taken_up"]
    assert watch.feeds == ["a", "b"]
