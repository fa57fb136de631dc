"""How fast a send is: `python -m bench.send [--quick | --large] [--sink HOST:PORT] [--only GROUP] [--json]`

Freezes an issue for N people (100,000; 2,000 with --quick), 30 KB each with links and headers of their
own, and lets real workers send it, from their start to their end with everything settled, on SQLite with
synchronous=FULL unless said. Side by side, in the same run: smtp-source, smtplib and aiosmtplib, which keep
no ledger. Medians of three. `--sink` takes the place of Postfix's smtp-sink. `--large` sends to ten times as
many, too. Rates travel badly between machines, ratios well; exit code 1 if one of the limits is not met.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from bench.cluster import Cluster
from bench.machine import machine
from bench.stage import Stage, set_up

_HERE = Path(__file__).parent
_SIZE = 30_000
#: options of the relay where it is near
_NEAR = "connections=4&window=32"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one send took: wall time and CPU in seconds, memory in MB."""

    mails: int
    seconds: float
    cpu: float = 0.0
    memory: float = 0.0

    @property
    def rate(self) -> float:
        return self.mails / self.seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure, and what it is to be."""

    what: str
    figure: float
    limit: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit


class Bench:
    def __init__(self, folder: Path, people: int, runs: int) -> None:
        self._folder, self._people, self._runs = folder, people, runs
        self._stages = 0
        self.costs: dict[str, Cost] = {}

    def ours(
        self, name: str, relay: str, *, people: int = 0, url: Callable[[], str] | None = None,
        dkim: Path | None = None, processes: int = 1, runs: int = 0,
    ) -> Cost:  # fmt: skip
        """The median of our sends to that relay."""

        def once() -> Cost:
            self._stages += 1
            settings = {"DKIM_KEYS": f"bench:{dkim}"} if dkim else {}
            stage = set_up(
                self._folder / str(self._stages), relays=relay, people=people or self._people,
                url=url() if url else "", size=_SIZE, settings=settings,
            )  # fmt: skip
            return _sent(stage, processes)

        return self._median(name, once, runs)

    def other(self, name: str, command: Sequence[str], mails: int) -> Cost:
        """The median of a command that sends so many mails."""

        def once() -> Cost:
            began = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            used, memory = _ended(process)
            return Cost(mails, time.perf_counter() - began, used, memory)

        return self._median(name, once, 0)

    def _median(self, name: str, once: Callable[[], Cost], runs: int) -> Cost:
        costs = [once() for _ in range(runs or self._runs)]
        middle = statistics.median(cost.seconds for cost in costs)
        found = min(costs, key=lambda cost: abs(cost.seconds - middle))
        self.costs[name] = replace(found, seconds=middle)
        print(_line(name, self.costs[name]), file=sys.stderr, flush=True)
        return self.costs[name]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="2,000 people, one run of each: does it work?")
    size.add_argument("--large", action="store_true", help="a million people as well")
    parser.add_argument("--people", type=int, default=0)
    parser.add_argument("--sink", metavar="HOST:PORT", help="instead of Postfix's smtp-sink")
    parser.add_argument("--only", default="", help="groups whose name has this word", choices=["", *_GROUPS])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    people = arguments.people or (2_000 if arguments.quick else 100_000)
    where = machine()
    print(where, file=sys.stderr)
    limits: list[Limit] = []
    with tempfile.TemporaryDirectory(prefix="infomail-send-") as folder, ExitStack() as running:
        bench = Bench(Path(folder), people, 1 if arguments.quick else 3)
        keeper = arguments.sink or running.enter_context(_smtp_sink())
        fast = running.enter_context(_fast_sink(Path(folder)))
        for name, group in _GROUPS.items():
            if arguments.only in name and (name != "large" or arguments.large):
                limits += group(bench, Path(folder), people, keeper, fast)
    if arguments.json:
        print(_as_json(where, bench.costs, limits))
    else:
        print(_as_table(where, bench.costs, limits))
    # so few people are sent to while the process still starts: figures of --quick say that it works
    return int(not arguments.quick and not all(limit.is_met for limit in limits))


def _against_others(bench: Bench, folder: Path, people: int, keeper: str, fast: str) -> list[Limit]:
    relay = f"smtp://{keeper}?starttls=off&{_NEAR}"
    fewer = min(people, 20_000)
    source = ["smtp-source", "-s", "64", "-l", str(_SIZE), "-m", str(people), "-f", "bounce@example.org",
              "-t", "person@example.org", keeper]  # fmt: skip
    yardstick = bench.other("smtp-source -s 64", [_program("smtp-source"), *source[1:]], people)
    unsigned = bench.ours("unsigned", relay)
    keys = _keys(folder)
    ed = bench.ours("Ed25519", relay, dkim=keys["ed25519"])
    rsa_ = bench.ours("RSA-2048, two processes", relay, dkim=keys["rsa"], processes=2)
    found = [
        Limit("unsigned / smtp-source", unsigned.rate / yardstick.rate, 1.0),
        Limit("Ed25519 / smtp-source", ed.rate / yardstick.rate, 0.9),
        Limit("RSA-2048 in two processes / smtp-source", rsa_.rate / yardstick.rate, 0.5),
        Limit("CPU s per 1,000 unsigned", unsigned.cpu / unsigned.mails * 1000, 0.06, at_most=True),
    ]
    for name, least, said in (("smtplib", 2.5, "8 threads"), ("aiosmtplib", 4.0, "8 connections")):
        command = [sys.executable, "-m", "bench.peers", name, keeper, str(fewer), str(_SIZE)]
        peer = bench.other(f"{name}, {said}", command, fewer)
        found.append(Limit(f"unsigned / {name}", unsigned.rate / peer.rate, least))
    return found


def _without_bodies(bench: Bench, folder: Path, people: int, keeper: str, fast: str) -> list[Limit]:
    relay = f"smtp://{fast}?starttls=off&{_NEAR}"
    sqlite = bench.ours("CHUNKING, SQLite", relay)
    cluster = Cluster()
    try:
        postgresql = bench.ours("CHUNKING, PostgreSQL", relay, url=cluster.database)
    finally:
        cluster.close()
    return [
        Limit("mails/s to a sink that ignores bodies", sqlite.rate, 25_000),
        Limit("PostgreSQL / SQLite", postgresql.rate / sqlite.rate, 0.75),
    ]


def _far_away(bench: Bench, folder: Path, people: int, keeper: str, fast: str) -> list[Limit]:
    """20 ms there and back, one connection."""
    with _proxy(fast, 0.01) as chunking, _proxy(keeper, 0.01) as plain:
        far = "?starttls=off&connections=1&window=64"
        windows = bench.ours("20 ms, CHUNKING", f"smtp://{chunking}{far}", people=min(people, 10_000))
        groups = bench.ours("20 ms, DATA", f"smtp://{plain}{far}", people=min(people, 1_000))
    return [
        Limit("mails/s at 20 ms with CHUNKING", windows.rate, 1000),
        Limit("mails/s at 20 ms without", groups.rate, 45),
    ]


def _large(bench: Bench, folder: Path, people: int, keeper: str, fast: str) -> list[Limit]:
    relay = f"smtp://{fast}?starttls=off&{_NEAR}"
    tenth = bench.costs.get("CHUNKING, SQLite") or bench.ours("CHUNKING, SQLite", relay)
    million = bench.ours("CHUNKING, ten times as many", relay, people=10 * people, runs=1)
    return [
        Limit("time of ten times as many", million.seconds / tenth.seconds, 11, at_most=True),
        Limit("MB with ten times as many", million.memory, 150, at_most=True),
    ]


_GROUPS: dict[str, Callable[[Bench, Path, int, str, str], list[Limit]]] = {
    "others": _against_others,
    "chunking": _without_bodies,
    "far": _far_away,
    "large": _large,
}


def _sent(stage: Stage, processes: int) -> Cost:
    """From the start of the worker to its end; several are told to end when all is settled."""
    began = time.perf_counter()
    if processes == 1:
        worker = stage.worker("--drain")
    else:
        worker = stage.worker("--processes", str(processes))
        while not stage.is_sent():
            time.sleep(0.02)
        worker.send_signal(signal.SIGTERM)
    cpu, memory = _ended(worker)
    took = time.perf_counter() - began
    if not stage.is_sent():
        raise RuntimeError(f"not everything was sent: see {stage.folder}/worker.log")
    return Cost(stage.people, took, cpu, memory)


def _ended(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for it; its CPU seconds, with its children's, and the most memory it had, in MB.

    The kernel's own maximum begins with that of the parent which it was forked from.
    """
    memory = 0.0
    status_file = Path(f"/proc/{process.pid}/status")
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        with suppress(OSError):
            for line in status_file.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    memory = max(memory, int(line.split()[1]) / 1024)
        time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, memory


def _keys(folder: Path) -> dict[str, Path]:
    made: dict[str, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    for name, key in made.items():
        (folder / f"{name}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return {name: folder / f"{name}.pem" for name in made}


@contextmanager
def _smtp_sink() -> Iterator[str]:
    """Postfix's smtp-sink, the usual yardstick."""
    port = _free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with _process([_program("smtp-sink"), *user, f"127.0.0.1:{port}", "1024"]):
        time.sleep(0.5)
        yield f"127.0.0.1:{port}"


@contextmanager
def _fast_sink(folder: Path) -> Iterator[str]:
    """bench/sink.c, compiled here and now."""
    program = folder / "sink"
    subprocess.run(["cc", "-O2", "-o", program, _HERE / "sink.c"], check=True)
    with _process([str(program)]) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _proxy(beyond: str, seconds: float) -> Iterator[str]:
    with _process([sys.executable, "-m", "bench.proxy", beyond, str(seconds)]) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _process(command: Sequence[str]) -> Iterator[str]:
    """Runs while the block lasts; gives its first line, if it is one of ours."""
    says_port = "smtp-sink" not in command[0]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip() if says_port else ""
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)


def _program(name: str) -> str:
    for folder in (*os.environ.get("PATH", "").split(":"), "/usr/sbin"):
        if (found := Path(folder) / name).is_file():
            return str(found)
    raise SystemExit(f"{name} not found: install the Debian package postfix")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _line(name: str, cost: Cost) -> str:
    per_thousand = cost.cpu / cost.mails * 1000
    return (
        f"{name:<32} {cost.mails:>9,} mails {cost.seconds:>8.2f} s {cost.rate:>9,.0f}/s"
        f" {per_thousand:>7.3f} CPU s per 1,000 {cost.memory:>6.0f} MB"
    )


def _said(limit: Limit) -> str:
    sign, met = "at most" if limit.at_most else "at least", "met" if limit.is_met else "NOT MET"
    return f"{limit.what:<42} {limit.figure:>10,.2f} {sign} {limit.limit:>9,g}  {met}"


def _as_table(where: str, costs: dict[str, Cost], limits: list[Limit]) -> str:
    return "\n".join([where, "", *(_line(*each) for each in costs.items()), "", *map(_said, limits)])


def _as_json(where: str, costs: dict[str, Cost], limits: list[Limit]) -> str:
    found = {
        "machine": where,
        "costs": {
            name: {
                "mails": cost.mails, "seconds": cost.seconds, "rate": cost.rate, "cpu": cost.cpu,
                "mb": cost.memory,
            }
            for name, cost in costs.items()
        },
        "limits": [
            {
                "what": each.what, "figure": each.figure, "limit": each.limit, "at_most": each.at_most,
                "met": each.is_met,
            }
            for each in limits
        ],
    }  # fmt: skip
    return json.dumps(found, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    sys.exit(main())
