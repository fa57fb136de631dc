"""`infomail feeds`."""

import asyncio
from pathlib import Path
from typing import Any

import typer

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, open_database, open_house, print_json
from mailer.cli.tables import print_table
from mailer.feeds.parse import NotAFeed, ParsedItem, parse

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Sources of items.")


@app.command("list")
def list_(as_json: bool = JSON) -> None:
    """The feeds of the plan and how they are."""
    from sqlalchemy import func, select  # `read` needs nothing of these

    from mailer import clock
    from mailer.feeds.model import Feed, Item

    with open_house() as house:
        clock.sync_feeds(house)
    with open_database() as database, database.read() as session:
        rows = session.execute(
            select(Feed, func.count(Item.id)).outerjoin(Item).group_by(Feed.key).order_by(Feed.key)
        ).all()
    feeds = [
        {
            "key": feed.key,
            "url": feed.url,
            "title": feed.title,
            "state": feed.state if feed.active else "inactive",
            "items": items,
            "fetched_at": feed.fetched_at,
            "problem": feed.problem,
        }
        for feed, items in rows
    ]
    if as_json:
        print_json(feeds)
    else:
        print_table(feeds, "key", "state", "items", "fetched_at", "problem")


@app.command()
def refresh(as_json: bool = JSON) -> None:
    """Fetch every feed of the plan now. A broken one is named and stops no other."""
    from mailer import clock

    with open_house() as house:
        clock.sync_feeds(house)
        done = asyncio.run(clock.refresh_feeds(house, now=None))
    rows = [
        {"feed": feed.feed, "new": feed.new, "changed": feed.changed, "problem": feed.problem}
        for feed in done
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "feed", "new", "changed", "problem")


@app.command()
def read(
    file: Path = typer.Argument(help="A feed as it was fetched."),
    as_json: bool = JSON,
) -> None:
    """Parse one file and show what would be read from it."""
    try:
        feed = parse(file.read_bytes())
    except NotAFeed as problem:
        raise Refused(f"{file}: not a feed: {problem}") from None
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    items = [_item(item) for item in feed.items]
    if as_json:
        print_json(
            {"format": feed.format, "title": feed.title, "items": items, "problems": list(feed.problems)}
        )
        return
    typer.echo(f"{feed.title} ({feed.format})")
    for mended in feed.problems:
        typer.echo(f"problem: {mended}")
    print_table(items, "published", "title", "url")


def _item(item: ParsedItem) -> dict[str, Any]:
    dates = {name: getattr(item, name) for name in ("published", "updated", "starts", "ends")}
    return {
        "identity": item.identity,
        "title": item.title,
        "url": item.url,
        "summary": item.summary,
        "location": item.location,
        **{name: value.isoformat() if value else None for name, value in dates.items()},
    }
