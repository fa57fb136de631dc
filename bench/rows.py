"""The rows of bench/crash.py: each breaks a send in one way, and lets the judge's account say what held.

Every row takes its size and its randomness as arguments, so that the tests run the same in small.
"""

import contextlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from bench.cluster import Cluster
from bench.judge import Judge, judging
from bench.stage import Stage, Verdict, opened, set_up, verdict
from mailer.issues.model import Issue
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox.model import Delivery
from mailer.outbox.tallies import set_rate

CONNECTIONS, WINDOW = 2, 8
#: deliveries that may be with the judge and not yet in the database: what a loss of the host adds
GROUP = 100
_STOPPED = "-c%20idle_in_transaction_session_timeout%3D3000"
#: seconds after which a row is given up
_PATIENCE = 120.0
#: seconds that a relay is faulty at least
_STORM = 6.0


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault came to."""

    name: str
    #: what does not hold, in words; empty when all does
    problems: list[str]
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Run:
    """One stage, its judge, and where both are."""

    stage: Stage
    judge: Judge
    relay: str

    def taken(self) -> int:
        return self.judge.mails

    def verdict(self) -> Verdict:
        return verdict(self.stage, self.judge.account)


@contextlib.contextmanager
def running(
    folder: Path,
    people: int,
    *,
    cluster: Cluster | None = None,
    delay: float = 0.0005,
    gear: str = "bdat",
    hold: bool = False,
    size: int = 15_000,
) -> Iterator[Run]:
    """A frozen issue and the judge that it goes to. `delay`: seconds that the judge takes for a mail."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    judge = Judge(folder / "account", gear=gear, delay=delay)
    with judging(judge) as port:
        relays = f"smtp://127.0.0.1:{port}?starttls=off&connections={CONNECTIONS}&window={WINDOW}"
        # whoever is stopped amid a transaction is cut off within the short leases of these rows
        url = f"{cluster.database()}&options={_STOPPED}" if cluster else ""
        stage = set_up(folder / "house", relays=relays, people=people, url=url, size=size, hold=hold)
        yield Run(stage, judge, f"127.0.0.1:{port}")


def killed(
    folder: Path, rng: random.Random, *, people: int, kills: int, cluster: Cluster | None = None,
    lose_host: bool = False,
) -> Row:  # fmt: skip
    """kill -9 at random points; with `lose_host` the journals go as well, and another host takes over."""
    name = f"{'loss of the host' if lose_host else 'kill -9'}, {'PostgreSQL' if cluster else 'SQLite'}"
    tricks = ("--lease", "3", "--within", "1.5") if lose_host else ()
    done = sends = duplicates = 0
    problems: list[str] = []
    while done < kills:
        sends += 1
        with running(folder, people, cluster=cluster) as run:
            # as many as this send still has room for, at even chances of anywhere in it
            marks = sorted(rng.randrange(people) for _ in range(kills - done))
            here = 0
            for mark in marks:
                worker = run.stage.worker(tricks=tricks)
                reached = _until(partial(_has_taken, run, mark), worker)
                time.sleep(rng.random() * 0.02)
                worker.kill()
                worker.wait()
                if not reached:
                    problems.append("a worker did not go on")
                    break
                here += 1
                problems += _midway(run)
                if lose_host:
                    shutil.rmtree(run.stage.spool, ignore_errors=True)
                    time.sleep(0.2)
            done += here
            if lose_host:
                # nobody's lease is given back before its time
                time.sleep(3)
            _finish(run, tricks)
            found = run.verdict()
            per_kill = CONNECTIONS * WINDOW + (GROUP if lose_host else 0)
            problems += found.problems(most_duplicates=per_kill * here)
            problems += _not_finished(found)
            duplicates += found.duplicates
            if problems:
                break
    figures = {"kills": done, "sends": sends, "duplicates": duplicates, "a kill": round(duplicates / done, 2)}
    return Row(name, problems, figures)


def database_restarted(folder: Path, rng: random.Random, cluster: Cluster, *, people: int, times: int) -> Row:
    """PostgreSQL crashes and comes back while one worker sends; the worker is never started again."""
    problems: list[str] = []
    longest = 0.0
    with running(folder, people, cluster=cluster) as run:
        worker = run.stage.worker()
        done = 0
        for mark in sorted(rng.randrange(people * 9 // 10) for _ in range(times)):
            if not _until(partial(_has_taken, run, mark), worker):
                problems.append(f"the worker did not go on after {done} restarts")
                break
            time.sleep(rng.random() * 0.05)
            cluster.stop(rng.choice(["immediate", "fast"]))
            time.sleep(rng.random() * 0.5)
            cluster.start()
            began, before = time.monotonic(), run.taken()
            done += 1
            goes_on = partial(_goes_on, run, before)
            _until(goes_on, worker, 30)
            longest = max(longest, time.monotonic() - began)
        _until(lambda: _settled(run), worker, 60)
        worker.terminate()
        code = worker.wait()
        if code:
            problems.append(f"the worker ended with {code}")
        found = run.verdict()
        # the acknowledgement is repeated, the mail is not
        problems += found.problems(most_duplicates=0) + _not_finished(found)
        if longest > 10:
            problems.append(f"{longest:.1f} s until it went on")
    figures = {"restarts": done, "duplicates": found.duplicates, "longest until on, s": round(longest, 1)}
    return Row("PostgreSQL restarted", problems, figures)


def one_stopped(folder: Path, rng: random.Random, cluster: Cluster, *, people: int, workers: int = 4) -> Row:
    """One of several is stopped past its lease, and woken when the others have done its work."""
    with running(folder, people, cluster=cluster, delay=0.002) as run:
        tricks = ("--lease", "3", "--within", "1.5")
        team = [run.stage.worker(tricks=tricks) for _ in range(workers)]
        _until(lambda: run.taken() >= people // 4, team[0])
        victim = rng.choice(team)
        victim.send_signal(signal.SIGSTOP)
        others = [each for each in team if each is not victim]
        _until(lambda: _settled(run), others[0], 60)
        before = run.verdict()
        victim.send_signal(signal.SIGCONT)
        time.sleep(2)
        for each in team:
            each.terminate()
        codes = [each.wait() for each in team]
        found = run.verdict()
        problems = found.problems(most_duplicates=CONNECTIONS * WINDOW + GROUP) + _not_finished(found)
        if before.states != found.states:
            problems.append(f"the woken one wrote: {before.states}, then {found.states}")
        if any(codes):
            problems.append(f"exit codes {codes}")
        return Row("4 workers, one stopped", problems, {"duplicates": found.duplicates})


def steered(
    folder: Path, rng: random.Random, *, people: int, times: int, cluster: Cluster | None = None
) -> Row:
    """Paused, resumed, restarted in good order and set to other rates at random: each gets exactly one."""
    problems: list[str] = []
    counts = {"pause": 0, "resume": 0, "restart": 0, "rate": 0}
    with running(folder, people, cluster=cluster) as run, opened(run.stage) as house:
        worker = run.stage.worker()

        def act(what: Act) -> None:
            with house.database.write() as session:
                issue = session.get_one(Issue, run.stage.issue)
                if issue.state.value == ("sending" if what is Act.PAUSE else "paused"):
                    act_on(session, issue, what, actor="user:1", now=datetime.now(UTC))

        def rate(value: float | None) -> None:
            with house.database.write() as session:
                set_rate(session, run.relay, value)

        for _ in range(times):
            what = rng.choices(list(counts), weights=(3, 3, 1, 3))[0]
            counts[what] += 1
            if what == "restart":
                worker.terminate()
                # told while it still starts, it has nothing to finish
                if (code := worker.wait()) not in (0, -signal.SIGTERM):
                    problems.append(f"the worker ended with {code}")
                worker = run.stage.worker()
            elif what == "rate":
                rate(rng.choice([50.0, 500.0, 5000.0, None]))
            else:
                act(Act.PAUSE if what == "pause" else Act.RESUME)
            time.sleep(rng.random() * 0.1)
        rate(None)
        act(Act.RESUME)
        _until(lambda: _settled(run), worker, 120)
        worker.terminate()
        worker.wait()
        found = run.verdict()
        problems += found.problems(most_duplicates=0) + _not_finished(found)
    return Row("paused, resumed, restarted, slowed", problems, {**counts, "duplicates": found.duplicates})


#: fault of one relay -> its number, and how much of the mail may be taken twice for it
RELAY_FAULTS = {
    "storm": 1.0, "tarpit": 2.0, "no-banner": 1.0, "half-open": 5.0, "reset-mid": 7.0, "reset-dot": 7.0,
    "421": 5.0, "slow-tls": 20.0,
}  # fmt: skip


def relay_faulty(folder: Path, fault: str, *, people: int) -> Row:
    """One of two relays is faulty; the other keeps 90 % of what it takes alone, and nobody is lost.

    Both are slow enough to be the bottleneck, not the machine. What one takes alone is measured first.
    """
    alone = _pace_of_two(folder, people, None)[0]
    beside, problems, duplicates = _pace_of_two(folder, people, fault)
    share = beside / alone
    if share < 0.9:
        problems.append(f"the other relay kept {share:.0%} of {alone:.0f}/s")
    return Row(f"relay: {fault}", problems, {"others keep, %": round(share * 100), "duplicates": duplicates})


def _pace_of_two(folder: Path, people: int, fault: str | None) -> tuple[float, list[str], int]:
    """Mails a second of the sound relay, what does not hold, and how many duplicates there were."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    account = folder / "account"
    sound = Judge(account, delay=0.005)
    faulty = Judge(
        account, fault=fault or "none", number=RELAY_FAULTS[fault] if fault else 1, delay=sound.delay
    )
    with judging(sound) as good, judging(faulty) as bad:
        per_relay = f"connections={CONNECTIONS}&window={WINDOW}&weight=1"
        tls = "opportunistic" if fault == "slow-tls" else "off"
        relays = f"smtp://127.0.0.1:{good}?starttls=off&{per_relay}"
        if fault:
            relays += f",smtp://127.0.0.1:{bad}?starttls={tls}&{per_relay}"
        stage = set_up(folder / "house", relays=relays, people=people, size=15_000)
        # an hour's storm in six seconds, and the tries that come after it in a minute
        worker = stage.worker(tricks=("--clock", "600", "--lease", "36000", "--patience", "5"))
        run = Run(stage, sound, "")
        _until(lambda: sound.mails >= people // 20, worker, 30)
        began, before = time.monotonic(), sound.mails
        _until(lambda: sound.mails + faulty.mails >= people * 7 // 10, worker, _STORM)
        pace = (sound.mails - before) / (time.monotonic() - began)
        if fault is None:
            worker.kill()
            worker.wait()
            return pace, [], 0
        time.sleep(max(0.0, _STORM - (time.monotonic() - began)))
        faulty.fault = "none"
        _until(lambda: _settled(run), worker, 240)
        worker.terminate()
        worker.wait()
        found = verdict(stage, account)
        # what was on its way at a reset or a silence may have arrived
        most = faulty.connections * WINDOW
        return pace, found.problems(most_duplicates=most) + _not_finished(found), found.duplicates


def disk_filled(folder: Path, *, people: int) -> Row:
    """The disk of database and journals fills up and is emptied again; needs the right to mount (root)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    small = folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(small)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        judge = Judge(folder / "account", delay=0.002)
        with judging(judge) as port:
            relays = f"smtp://127.0.0.1:{port}?starttls=off&connections={CONNECTIONS}&window={WINDOW}"
            stage = set_up(small / "house", relays=relays, people=people, size=15_000)
            run = Run(stage, judge, "")
            worker = stage.worker()
            _until(lambda: judge.mails >= people // 10, worker)
            ballast = small / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 14))
            stood = _stands_still(judge)
            problems = [] if stood < people else ["it was over before it could stop"]
            if worker.poll() is not None:
                problems.append("the worker died of it")
            ballast.unlink()
            _until(lambda: _settled(run), worker, 60)
            worker.terminate()
            worker.wait()
            found = verdict(stage, judge.account)
            problems += found.problems(most_duplicates=0) + _not_finished(found)
        return Row("disk full", problems, {"stood at": stood, "duplicates": found.duplicates})
    finally:
        subprocess.run(["umount", str(small)], check=True)


def _has_taken(run: Run, mark: int) -> bool:
    return run.taken() >= mark


def _goes_on(run: Run, before: int) -> bool:
    return run.taken() > before or run.taken() >= run.stage.people


def _stands_still(judge: Judge) -> int:
    """What it has taken when nothing more came for two seconds."""
    while True:
        before = judge.mails
        time.sleep(2)
        if judge.mails == before:
            return before


def _midway(run: Run) -> list[str]:
    """What has to hold at every moment: all is counted, and nothing is called sent that is not."""
    found = run.verdict()
    return found.problems(most_duplicates=found.duplicates)


def _not_finished(found: Verdict) -> list[str]:
    return [] if found.is_called_sent else [f"not finished: {found.states}"]


def _settled(run: Run) -> bool:
    database = run.stage.database()
    try:
        with database.read() as session:
            open_ = select(func.count()).select_from(Delivery).where(Delivery.settled_at.is_(None))
            if session.scalar(open_):
                return False
            return session.get_one(Issue, run.stage.issue).sent_at is not None
    finally:
        database.close()
        time.sleep(0.1)


def _until(reached: Callable[[], bool], worker: subprocess.Popen[bytes], patience: float = _PATIENCE) -> bool:
    """Wait for it; False where the worker ends, or the time, before."""
    until = time.monotonic() + patience
    while not reached():
        if worker.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _finish(run: Run, tricks: tuple[str, ...] = ()) -> None:
    worker = run.stage.worker(tricks=tricks)
    _until(lambda: _settled(run), worker, 120)
    worker.terminate()
    worker.wait()
