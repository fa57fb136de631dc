"""`infomail feeds`."""

import asyncio
from pathlib import Path
from typing import Any

import typer

from mailer.cli import Refused
from mailer.cli.surroundings import (
    AS,
    JSON,
    actor,
    now,
    open_database,
    open_house,
    print_json,
    read_settings,
)
from mailer.cli.tables import print_table
from mailer.feeds.charset import decode
from mailer.feeds.discover import Candidate, announced
from mailer.feeds.parse import NotAFeed, ParsedItem, parse
from mailer.feeds.parsed import Problems

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Sources of items.")


@app.command("list")
def list_(as_json: bool = JSON) -> None:
    """The feeds and how they are."""
    from sqlalchemy import case, func, select  # `read` needs nothing of these

    from mailer import clock
    from mailer.feeds.model import Feed, Item, ItemState

    with open_house() as house:
        clock.sync_feeds(house)
    with open_database() as database, database.read() as session:
        held = func.count(case((Item.state == ItemState.HELD, Item.id)))
        rows = session.execute(
            select(Feed, func.count(Item.id), held).outerjoin(Item).group_by(Feed.key).order_by(Feed.key)
        ).all()
    feeds = [
        {
            "key": feed.key,
            "url": feed.url,
            "title": feed.title,
            "state": feed.state if feed.active else "inactive",
            "items": items,
            "held": waiting,
            "fetched_at": feed.fetched_at,
            "broken_since": feed.broken_since,
            "problem": feed.problem,
        }
        for feed, items, waiting in rows
    ]
    if as_json:
        print_json(feeds)
    else:
        print_table(feeds, "key", "state", "items", "held", "fetched_at", "broken_since", "problem")


@app.command()
def add(
    key: str = typer.Argument(help="Lower-case letters, digits and dashes; its items are filed under it."),
    url: str = typer.Option(..., help="Where it is: http or https."),
    title: str = typer.Option("", help="How its source is named; the feed's own title if not given."),
    municipality: str = typer.Option("", metavar="AGS", help="The municipality whose feed it is."),
    everybody: bool = typer.Option(False, "--everybody", help="For all readers, not for those there alone."),
    internal: bool = typer.Option(False, "--internal", help="For the officers alone."),
    hours: int = typer.Option(6, min=1, max=168, help="Fetched this often."),
    who: str = AS,
) -> None:
    """Add a feed beside those of the plan; sections with `municipal = true` take from it."""
    from mailer.feeds.own import BadFeed, add_feed

    with open_database() as database, database.write() as session:
        try:
            add_feed(
                session, key, url, title=title, municipality=municipality, everybody=everybody,
                internal=internal, every=hours * 3600, actor=actor(who), now=now(),
            )  # fmt: skip
        except BadFeed as problem:
            raise Refused(str(problem)) from None


@app.command()
def end(
    key: str = typer.Argument(metavar="KEY", help="A feed that was added by `infomail feeds add`."),
    who: str = AS,
) -> None:
    """Fetch a feed no longer that was added; what it brought stays."""
    from mailer.feeds.own import BadFeed, end_feed

    with open_database() as database, database.write() as session:
        try:
            end_feed(session, key, actor=actor(who), now=now())
        except BadFeed as problem:
            raise Refused(str(problem)) from None


@app.command()
def items(
    feed: str = typer.Argument(None, metavar="[KEY]", help="Only of this feed."),
    count: int = typer.Option(50, min=1, max=10_000, help="How many."),
    as_json: bool = JSON,
) -> None:
    """What the feeds brought, the latest first."""
    from sqlalchemy import select

    from mailer.feeds.model import Item

    query = select(Item).order_by(Item.first_seen_at.desc(), Item.id.desc()).limit(count)
    with open_database() as database, database.read() as session:
        found = session.scalars(query if feed is None else query.where(Item.feed_key == feed)).all()
    rows = [
        {
            "id": item.id,
            "feed": item.feed_key,
            "kind": item.kind,
            "state": item.state,
            "title": item.title,
            "url": item.url,
            "published": item.published,
            "starts": item.starts,
            "deadline": item.deadline,
            "municipality": item.municipality or "",
            "first_seen_at": item.first_seen_at,
        }
        for item in found
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "id", "feed", "state", "title", "first_seen_at")


@app.command()
def refresh(as_json: bool = JSON) -> None:
    """Fetch every feed of the plan now. A broken one is named and stops no other."""
    from mailer import clock

    with open_house() as house:
        clock.sync_feeds(house)
        done = asyncio.run(clock.refresh_feeds(house, now=None))
    rows = [
        {
            "feed": feed.feed,
            "new": feed.new,
            "changed": feed.changed,
            "held": feed.held,
            "problem": feed.problem,
        }
        for feed in done
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "feed", "new", "changed", "held", "problem")


_KEY = typer.Argument(metavar="KEY", help="The feed, as `infomail feeds list` names it.")


@app.command()
def accept(key: str = _KEY, who: str = AS) -> None:
    """Let issues take the entries of a feed that were held back as an implausible flood."""
    from mailer.feeds.held import accept

    _settle(accept, key, who, "accepted")


@app.command()
def dismiss(key: str = _KEY, who: str = AS) -> None:
    """Drop the entries of a feed that were held back: no issue ever takes them."""
    from mailer.feeds.held import dismiss

    _settle(dismiss, key, who, "dismissed")


def _settle(act: Any, key: str, who: str, done: str) -> None:
    from mailer.feeds.held import NoSuchFeed, NothingHeld

    try:
        with open_database() as database, database.write() as session:
            number = act(session, key, actor=actor(who), now=now())
    except NoSuchFeed:
        raise Refused(f"there is no feed {key}: see `infomail feeds list`") from None
    except NothingHeld:
        raise Refused(f"no entry of {key} is held") from None
    typer.echo(f"{number} entries {done}")


@app.command()
def discover(
    url: str = typer.Argument(metavar="URL", help="A page, or a feed."),
    allow_private: bool = typer.Option(False, help="Its host may have a private network address."),
    as_json: bool = JSON,
) -> None:
    """Show which feeds a page announces. Nothing is stored."""
    found = [
        {"url": one.url, "title": one.title, "type": one.type}
        for one in asyncio.run(_discovered(url, allow_private))
    ]
    if not found:
        raise Refused(f"{url}: announces no feed")
    if as_json:
        print_json(found)
    else:
        print_table(found, "url", "type", "title")


async def _discovered(url: str, allow_private: bool) -> tuple[Candidate, ...]:
    from mailer.feeds.fetch import Fetched, FetchProblem, admitting, fetch
    from mailer.installation import fetch_policy

    policy = fetch_policy(read_settings())
    try:
        answer = await fetch(url, policy=admitting(policy, url) if allow_private else policy)
    except FetchProblem as problem:
        raise Refused(f"{url}: {problem}") from None
    assert isinstance(answer, Fetched)  # no condition was set
    try:
        feed = parse(answer.body, content_type=answer.content_type, url=answer.final_url)
    except NotAFeed:
        page = decode(answer.body, answer.content_type, Problems())
        return announced(page, answer.final_url)
    return (Candidate(answer.final_url, feed.title, answer.content_type.partition(";")[0].strip()),)


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
