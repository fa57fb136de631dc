"""How well what comes back is read: `python bench/receipts.py [DIR] [--json] [--by-family] [--misses]`.

DIR holds mails and a manifest.csv with a row a recipient: file, expected_recipient, expected_kind (hard,
soft, complaint, autoreply, other), expected_action (delayed is our kind delayed), trust (A surest .. D
recipient unknown) and, if it likes, reason and family. Without DIR only the speed is measured, on a
made-up report. Exit code 1 if a figure is below what we promise.
"""

import argparse
import csv
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mailer.receipts.report import Report, read_report

#: figure -> (lowest, highest) that we promise
_PROMISED = {
    "recall_ab": (0.97, 1.0),
    "recall_abc": (0.93, 1.0),
    "precision": (0.99, 1.0),
    "delayed_for_failed": (0.0, 0.02),
    "hard_soft": (0.95, 1.0),
    "exceptions": (0, 0),
    "failures_from_autoreplies": (0, 0),
    "mails_per_second": (300, float("inf")),
}
_FAILED = ("hard", "soft", "complaint")
_REPORTED = (*_FAILED, "delayed")
_LEAST_SECONDS = 2.0

_MADE_UP = b"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="cut"

--cut
Content-Type: text/plain; charset=utf-8

<erna@example.net>: host mx.example.net[192.0.2.7] said: 550 5.1.1 <erna@example.net>:
    Recipient address rejected: User unknown (in reply to RCPT TO command)

--cut
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; erna@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <erna@example.net>: Recipient address rejected: User unknown

--cut
Content-Type: text/rfc822-headers

Message-ID: <a.1@infomail.example.org>
To: erna@example.net

--cut--
"""


@dataclass(slots=True)
class _Share:
    hits: int = 0
    of: int = 0

    def add(self, hit: bool) -> None:
        self.hits, self.of = self.hits + hit, self.of + 1

    @property
    def ratio(self) -> float:
        return round(self.hits / self.of, 4) if self.of else 1.0


@dataclass(slots=True)
class _Score:
    recall: dict[str, _Share] = field(default_factory=lambda: defaultdict(_Share))
    precision: _Share = field(default_factory=_Share)
    delayed_for_failed: _Share = field(default_factory=_Share)
    hard_soft: _Share = field(default_factory=_Share)
    hard_soft_all: _Share = field(default_factory=_Share)
    kinds: _Share = field(default_factory=_Share)
    exceptions: int = 0
    failures_from_autoreplies: int = 0
    misses: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        def recall(trusts: str) -> float:
            shares = [self.recall[trust] for trust in trusts]
            return _Share(sum(each.hits for each in shares), sum(each.of for each in shares)).ratio

        return {
            **{f"recall_{trust.lower()}": self.recall[trust].ratio for trust in "ABC"},
            "recall_ab": recall("AB"),
            "recall_abc": recall("ABC"),
            "precision": self.precision.ratio,
            "delayed_for_failed": self.delayed_for_failed.ratio if self.delayed_for_failed.of else 0.0,
            "hard_soft": self.hard_soft.ratio,
            "hard_soft_all": self.hard_soft_all.ratio,
            "kinds": self.kinds.ratio,
            "exceptions": self.exceptions,
            "failures_from_autoreplies": self.failures_from_autoreplies,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description="How well and how fast what comes back is read.")
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true", help="only JSON")
    parser.add_argument("--by-family", action="store_true", help="the figures of each family too")
    parser.add_argument("--misses", action="store_true", help="name what was read otherwise than expected")
    given = parser.parse_args()
    mails, figures, families, misses = [_MADE_UP], {}, {}, []
    if given.directory:
        expected = _expected(given.directory / "manifest.csv")
        mails = [(given.directory / name).read_bytes() for name in expected]
        score = _scored(zip(expected.items(), mails, strict=True))
        figures, misses = score.figures(), score.misses
        families = _by_family(expected, mails) if given.by_family else {}
    figures["mails_per_second"] = _speed(mails)
    missed = [name for name, value in figures.items() if not _kept(name, value)]
    if given.json:
        print(json.dumps({**figures, **({"families": families} if families else {}), "missed": missed}))
    else:
        _show(figures, families)
    if given.misses:
        print("\n".join(misses), file=sys.stderr)
    return 1 if missed else 0


_Rows = dict[str, list[dict[str, str]]]


def _expected(manifest: Path) -> _Rows:
    rows: _Rows = defaultdict(list)
    with manifest.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            rows[row["file"]].append(row)
    return rows


def _by_family(expected: _Rows, mails: list[bytes]) -> dict[str, dict[str, float]]:
    families = defaultdict(list)
    for item, raw in zip(expected.items(), mails, strict=True):
        families[item[1][0].get("family", "")].append((item, raw))
    return {name: _scored(members).figures() for name, members in sorted(families.items())}


def _scored(mails: Iterable[tuple[tuple[str, list[dict[str, str]]], bytes]]) -> _Score:
    score = _Score()
    for (name, rows), raw in mails:
        try:
            report = read_report(raw)
        except Exception as error:  # the figure that must be 0
            score.exceptions += 1
            score.misses.append(f"{name}: {type(error).__name__}: {error}")
            continue
        _compare(score, name, rows, report)
    return score


def _compare(score: _Score, name: str, rows: list[dict[str, str]], report: Report) -> None:
    found = {each.address: str(each.kind) for each in report.recipients if each.kind in _REPORTED}
    for row in rows:
        kind, address = _kind(row), row["expected_recipient"]
        mark = f"{name} [{row['trust']} {row.get('family', '')}] {kind} {row.get('reason', '')}: {address}"
        if kind == "autoreply" and found.keys() & {address} and found[address] in _FAILED:
            score.failures_from_autoreplies += 1
        if row["trust"] in "AB":
            right = found.get(address, str(report.kind)) == kind
            score.kinds.add(right)
            if not right:
                score.misses.append(f"{mark} read as {report.kind}")
        if kind not in _REPORTED or not address or row["trust"] == "D":
            continue
        score.recall[row["trust"]].add(address in found)
        if address not in found:
            score.misses.append(f"{mark} missing, found {found or report.kind}")
        elif kind == "delayed" and row["trust"] in "AB":
            score.delayed_for_failed.add(found[address] in _FAILED)
        elif kind in ("hard", "soft") and found[address] in ("hard", "soft") and row["trust"] in "AB":
            right = found[address] == kind
            score.hard_soft_all.add(right)
            # rows without a reason only say permanent or temporary: a full mailbox is permanent there
            if row.get("reason"):
                score.hard_soft.add(right)
    if all(row["trust"] != "D" for row in rows):
        known = {row["expected_recipient"] for row in rows if _kind(row) in _REPORTED}
        for address in found:
            score.precision.add(address in known)
            if address not in known:
                score.misses.append(
                    f"{name}: {address} {found[address]} is too much, expected {known or '-'}"
                )


def _kind(row: dict[str, str]) -> str:
    return row["expected_action"] if row.get("expected_action") == "delayed" else row["expected_kind"]


def _speed(mails: list[bytes]) -> float:
    """Mails per second of one core, each read at least once, by the time of this process."""
    count, began = 0, time.process_time()
    while (taken := time.process_time() - began) < _LEAST_SECONDS or not count:
        for raw in mails:
            read_report(raw)
        count += len(mails)
    return round(count / taken, 1) if taken else 0.0


def _kept(name: str, value: float) -> bool:
    lowest, highest = _PROMISED.get(name, (float("-inf"), float("inf")))
    return lowest <= value <= highest


def _show(figures: dict[str, float], families: dict[str, dict[str, float]]) -> None:
    for name, value in figures.items():
        print(f"{name:28}{value:>10}{'' if _kept(name, value) else '   below what we promise'}")
    for family, own in families.items():
        print(
            f"{family:40}"
            + "  ".join(f"{key} {own[key]}" for key in ("recall_abc", "precision", "hard_soft"))
        )


if __name__ == "__main__":
    sys.exit(main())
