"""`infomail privacy`: what data protection law asks of the operator."""

from pathlib import Path

import typer

from mailer.cli.surroundings import AS, JSON, actor, now, open_house, print_json
from mailer.cli.tables import print_table
from mailer.installation import circumstances, operation, retention
from mailer.logs import write_logs
from mailer.privacy.activities import as_html, record_of_activities
from mailer.privacy.retaining import retain as let_go

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Retention, and the record of Art. 30.")


@app.command()
def retain(
    dry_run: bool = typer.Option(False, "--dry-run", help="Only count what is due."),
    as_json: bool = JSON,
    who: str = AS,
) -> None:
    """Erase what has been kept long enough. The clock does it once a day."""
    write_logs()
    with open_house() as house:
        counts = let_go(
            house.database, retention(house.settings), actor=actor(who), now=now(), dry_run=dry_run
        )
    if as_json:
        print_json(counts)
    else:
        print_table([{"class": name, "count": count} for name, count in counts.items()], "class", "count")


@app.command()
def record(
    html: Path | None = typer.Option(None, "--html", metavar="FILE", help="Write a page there, to print."),
) -> None:
    """The record of processing activities (Art. 30 GDPR) as this installation is set up, in Markdown."""
    with open_house() as house, house.database.read() as session:
        text = record_of_activities(session, circumstances(house.settings), operation(house.settings), now())
    if html is None:
        typer.echo(text, nl=False)
    else:
        html.write_text(as_html(text), encoding="utf-8")
        typer.echo(html)
