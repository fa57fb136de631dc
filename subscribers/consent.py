"""What may become of a subscription. Pure: a table, and a move that is not in it is illegal.

Only the owner of an address can make a subscription active by consent, and leaving is
possible from every state. The state None means: not on the list. A sign-up that was never
confirmed leaves nothing behind, so there is nothing in it that could be undone into a consent.
"""

import enum

from subscribers.model import SubscriptionState


class Act(enum.StrEnum):
    SIGN_UP = "sign-up"
    CONFIRM = "confirm"
    APPOINT = "appoint"  # public task, or a consent given elsewhere: active without asking
    CLAIM = "claim"  # consent is said to have been given elsewhere, and somebody else must look at it
    LEAVE = "leave"
    UNDO = "undo"  # of leaving
    EXPIRE = "expire"  # never confirmed, or never released
    LAPSE = "lapse"  # the office ended that was the ground; she did not leave, so another may appoint her


_PENDING = SubscriptionState.PENDING
_ACTIVE = SubscriptionState.ACTIVE
_LEFT = SubscriptionState.UNSUBSCRIBED

#: state -> act -> next state
MOVES: dict[SubscriptionState | None, dict[Act, SubscriptionState | None]] = {
    None: {Act.SIGN_UP: _PENDING, Act.CLAIM: _PENDING, Act.APPOINT: _ACTIVE},
    _PENDING: {
        Act.SIGN_UP: _PENDING,
        Act.CONFIRM: _ACTIVE,
        Act.APPOINT: _ACTIVE,
        Act.LEAVE: None,
        Act.EXPIRE: None,
    },
    _ACTIVE: {Act.CONFIRM: _ACTIVE, Act.APPOINT: _ACTIVE, Act.LEAVE: _LEFT, Act.LAPSE: None},
    # whoever left comes back by an own act only: no appointment and no import revives it
    _LEFT: {Act.CONFIRM: _ACTIVE, Act.LEAVE: _LEFT, Act.UNDO: _ACTIVE},
}


class IllegalMove(Exception):
    """The act is not possible in the state the subscription is in."""


def next_state(state: SubscriptionState | None, act: Act) -> SubscriptionState | None:
    """Where `act` leads from `state`. Raises IllegalMove."""
    try:
        return MOVES[state][act]
    except KeyError:
        raise IllegalMove(f"{act} is not possible from {state or 'nothing'}") from None
