"""`infomail issues verify`, `provenance`: that what was sent can be made again, and where it comes from."""

from dataclasses import asdict

import typer

from mailer.cli import Refused
from mailer.cli.releasing import ISSUE, found
from mailer.cli.surroundings import JSON, open_database, print_json
from mailer.cli.tables import print_table
from mailer.issues.provenance import Origin, provenance
from mailer.render.verify import verify


def verify_(issue_id: int = ISSUE, as_json: bool = JSON) -> None:
    """Render every edition that was sent again, from what is stored, and compare the bytes."""
    with open_database() as database, database.read() as session:
        verified = verify(session, found(session, issue_id))
    if not verified:
        raise Refused(f"issue {issue_id} has no editions yet: they are made when it is sent")
    if as_json:
        print_json([asdict(edition) for edition in verified])
    else:
        for edition in verified:
            if edition.versions:
                typer.echo(f"edition {edition.edition} was rendered with {edition.versions}", err=True)
    differing = [edition for edition in verified if edition.difference]
    if differing:
        raise Refused("\n".join(f"edition {each.edition}: {each.difference}" for each in differing))
    if not as_json:
        count = len(verified)
        typer.echo(f"{count} {'edition comes' if count == 1 else 'editions come'} out byte for byte")


def provenance_(issue_id: int = ISSUE, as_json: bool = JSON) -> None:
    """Where each entry comes from: feed, item, when it was fetched, and who changed it when."""
    with open_database() as database, database.read() as session:
        origins = provenance(session, found(session, issue_id))
    rows = [_row(origin) for origin in origins]
    if as_json:
        print_json(rows)
        return
    for row, origin in zip(rows, origins, strict=True):
        row["feed"] = "written by hand" if origin.by_hand else origin.feed
        row["changes"] = "; ".join(
            f"{each.act} {each.actor} {each.at:%Y-%m-%d %H:%M}" for each in origin.changes
        )
    print_table(rows, "section", "title", "feed", "identity", "fetched_at", "digest", "changes")


def _row(origin: Origin) -> dict[str, object]:
    return asdict(origin) | {"by_hand": origin.by_hand}
