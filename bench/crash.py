"""Whether anything gets lost: `python -m bench.crash [--short] [--seed N] [--only WORD] [--json]`.

Sends real issues through real workers and breaks them: killed, robbed of their host, of PostgreSQL, of
their disk, stopped past their lease, steered at random, and given broken relays. Who got what is judged by
a sink that syncs (Message-ID, recipient, time) before each 250, held against the ledger (bench/judge.py,
bench/stage.py). Prints a table and, on stderr, each row as it ends; exit code 1 if anything does not hold.
`--short` takes some minutes.
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import rows
from bench.cluster import Cluster
from bench.machine import machine
from bench.rows import RELAY_FAULTS, Row


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="", help="rows whose name has this word")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}; {machine()}", file=sys.stderr)
    cluster = Cluster()
    done: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="infomail-crash-") as folder:
            for name, run in _plan(Path(folder) / "stage", cluster, arguments.short).items():
                if arguments.only not in name:
                    continue
                began = time.monotonic()
                # each row by a seed of its own, so that one alone can be repeated
                row = run(random.Random(f"{seed} {name}"))  # noqa: S311  breaks things, guards nothing
                done.append(row)
                print(f"{_line(row)}  ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    finally:
        cluster.close()
    if arguments.json:
        found = [{"fault": row.name, "problems": row.problems, **row.figures} for row in done]
        print(json.dumps({"seed": seed, "machine": machine(), "rows": found}, ensure_ascii=False, indent=1))
    else:
        print("\n".join(map(_line, done)))
    return int(any(row.problems for row in done))


def _plan(folder: Path, cluster: Cluster, short: bool) -> dict[str, Callable[[random.Random], Row]]:
    people, kills, restarts, turns = (2_000, 8, 5, 50) if short else (10_000, 200, 50, 500)
    sqlite, postgresql = None, cluster
    plan: dict[str, Callable[[random.Random], Row]] = {
        "kill sqlite": lambda rng: rows.killed(folder, rng, people=people, kills=kills, cluster=sqlite),
        "kill postgresql": lambda rng: rows.killed(
            folder, rng, people=people, kills=kills, cluster=postgresql
        ),
        "host sqlite": lambda rng: rows.killed(
            folder, rng, people=people, kills=kills // 4, cluster=sqlite, lose_host=True
        ),
        "host postgresql": lambda rng: rows.killed(
            folder, rng, people=people, kills=kills // 4, cluster=postgresql, lose_host=True
        ),
        "restart": lambda rng: rows.database_restarted(
            folder, rng, postgresql, people=people, times=restarts
        ),
        "stopped": lambda rng: rows.one_stopped(folder, rng, postgresql, people=people),
        "steered": lambda rng: rows.steered(folder, rng, people=people, times=turns),
    }
    if os.geteuid() == 0 and platform.system() == "Linux":
        plan["disk"] = lambda rng: rows.disk_filled(folder, people=people)
    for fault in RELAY_FAULTS:
        plan[f"relay {fault}"] = lambda rng, fault=fault: rows.relay_faulty(  # type: ignore[misc]  # bound here
            folder, fault, people=people
        )
    return plan


def _line(row: Row) -> str:
    figures = ", ".join(f"{name} {value:g}" for name, value in row.figures.items())
    holds = "holds" if not row.problems else "DOES NOT HOLD: " + "; ".join(dict.fromkeys(row.problems))
    return f"{row.name:<36} {figures:<64} {holds}"


if __name__ == "__main__":
    sys.exit(main())
