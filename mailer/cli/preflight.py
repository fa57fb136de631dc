"""`infomail issues preflight`: what stands in the way of a release, and what somebody should look at."""

from zoneinfo import ZoneInfo

import typer

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, now, open_house, print_json
from mailer.gate import Report, look_at
from mailer.installation import Installation
from mailer.issues.model import Issue
from mailer.render.dates import long_date
from mailer.render.preflight import Finding, Severity
from mailer.translations import translations


def preflight_(
    issue_id: int = typer.Argument(metavar="ID", help="The issue, as `infomail issues list` numbers them."),
    network: bool = typer.Option(True, "--network/--no-network", help="Follow links, and ask rspamd."),
    language: str = typer.Option("en", help="de or en: of the findings."),
    as_json: bool = JSON,
) -> None:
    """Look at every edition as it would go out now; exit code 1 if something blocks its release."""
    with open_house() as house:
        with house.database.read() as session:
            issue = session.get(Issue, issue_id)
            if issue is None:
                raise Refused(f"there is no issue {issue_id}: see `infomail issues list`")
            zone = ZoneInfo(issue.zone)
        report = look_at(house, issue_id, now=now(), network=network)
    if as_json:
        print_json(
            {
                "editions": report.editions,
                "people": report.people,
                "ends_at": report.ends_at,
                "findings": [
                    {
                        "code": each.code,
                        "severity": each.severity,
                        "says": each.said(language),
                        "where": each.where,
                        "editions": report.editions_of(each),
                    }
                    for each in report.findings
                ],
            }
        )
    else:
        _tell(report, language, zone)
    if report.of(Severity.BLOCKS):
        raise typer.Exit(1)


def refuse_blocked(house: Installation, issue_id: int) -> None:
    """Tell what a release should know on stderr. Raises Refused where something blocks it."""
    report = look_at(house, issue_id, now=now(), network=False)
    if blocking := report.of(Severity.BLOCKS):
        told = "\n          ".join(finding.said("en") for finding in blocking)
        raise Refused(f"issue {issue_id} cannot be released: {told}")
    for finding in report.of(Severity.WARNS):
        typer.echo(f"look at it: {finding.said('en')}", err=True)


def _tell(report: Report, language: str, zone: ZoneInfo) -> None:
    for finding in sorted(report.findings, key=lambda each: list(Severity).index(each.severity)):
        typer.echo(f"{finding.severity}: {finding.said(language)}{_editions(report, finding)}")
    many = "edition" if report.editions == 1 else "editions"
    typer.echo(f"{report.people} people, {report.editions} {many}")
    if report.ends_at is not None:
        ends = report.ends_at.astimezone(zone)
        day = (
            ""
            if ends.date() == now().astimezone(zone).date()
            else f"{long_date(ends, language=language, zone=zone)}, "
        )
        typer.echo(translations(language).gettext("done about %(time)s") % {"time": f"{day}{ends:%H:%M}"})


def _editions(report: Report, finding: Finding) -> str:
    named = report.editions_of(finding)
    if not named or len(named) == report.editions:
        return ""
    if len(named) <= _NAMED:
        return f" [{'; '.join(named)}]"
    return f" [{len(named)} of {report.editions} editions]"


#: so many editions are named, more are counted
_NAMED = 3
