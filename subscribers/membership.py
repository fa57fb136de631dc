"""A municipality's way into the network and out of it: dated steps, of which the latest holds."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import nulls_first, select
from sqlalchemy.orm import Session

from subscribers.chain import Chain, Happening, append
from subscribers.model import Membership, MembershipState

_INTERESTED, _GUEST, _RESOLVED, _DECLARED, _MEMBER, _DORMANT, _LEFT = MembershipState

#: state -> those that usually follow. Life knows other orders (a merger, a file found late), so a
#: step that is not in here is worth a second look and not forbidden
USUAL: dict[MembershipState | None, frozenset[MembershipState]] = {
    None: frozenset({_INTERESTED, _GUEST, _RESOLVED, _DECLARED, _MEMBER}),
    _INTERESTED: frozenset({_GUEST, _RESOLVED, _DECLARED, _LEFT}),
    _GUEST: frozenset({_INTERESTED, _RESOLVED, _DECLARED, _LEFT}),
    _RESOLVED: frozenset({_DECLARED, _MEMBER, _LEFT}),
    _DECLARED: frozenset({_MEMBER, _LEFT}),
    _MEMBER: frozenset({_DORMANT, _LEFT}),
    _DORMANT: frozenset({_MEMBER, _LEFT}),
    _LEFT: frozenset({_INTERESTED, _GUEST, _RESOLVED, _DECLARED, _MEMBER}),
}


class Outcome(enum.StrEnum):
    ADDED = "added"
    #: it was there, and more is said about it
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a step."""

    outcome: Outcome
    #: the state that held before it, None where nothing was known
    before: MembershipState | None
    #: whether it usually follows that
    usual: bool


def take_step(
    session: Session,
    *,
    ags: str,
    state: MembershipState,
    since: date,
    about: dict[str, str],
    actor: str,
    now: datetime,
) -> Taken:
    """Put a step on record; `about` may name its round, reference and note.

    The same step again changes at most what is said about it.
    """
    known = session.scalar(
        select(Membership).where(Membership.ags == ags, Membership.since == since, Membership.state == state)
    )
    before = _state_before(session, ags, state, since)
    usual = state in USUAL[before]
    if known is not None and all(getattr(known, name) == text for name, text in about.items()):
        return Taken(Outcome.UNCHANGED, before, usual)
    if known is None:
        session.add(Membership(ags=ags, state=state, since=since, **about))
    else:
        for name, text in about.items():
            setattr(known, name, text)
    said = {"municipality": ags, "state": state.value, "since": since.isoformat(), **about}
    append(session, Chain.AUDIT, [Happening("membership.step", said)], actor=actor, at=now)
    return Taken(Outcome.ADDED if known is None else Outcome.CHANGED, before, usual)


def history(session: Session, ags: str) -> Sequence[Membership]:
    """The steps of a municipality, undated ones first, then by their days."""
    query = select(Membership).where(Membership.ags == ags)
    return session.scalars(query.order_by(nulls_first(Membership.since.asc()), Membership.id)).all()


def _state_before(session: Session, ags: str, state: MembershipState, since: date) -> MembershipState | None:
    """The state that this step ends: the latest one up to that day, apart from the step itself."""
    steps = [
        step
        for step in history(session, ags)
        if (step.since is None or step.since <= since) and (step.state, step.since) != (state, since)
    ]
    return steps[-1].state if steps else None
