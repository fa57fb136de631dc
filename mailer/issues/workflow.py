"""How an issue moves from draft to sent. Pure: a table, and a move that is not in it is illegal."""

import enum

from mailer.issues.model import IssueState


class Act(enum.StrEnum):
    SUBMIT = "submit"
    REVISE = "revise"
    APPROVE = "approve"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    CANCEL = "cancel"
    #: somebody says when it goes out
    RESCHEDULE = "reschedule"


MOVES: dict[IssueState, dict[Act, IssueState]] = {
    IssueState.DRAFT: {
        Act.SUBMIT: IssueState.REVIEW,
        Act.APPROVE: IssueState.APPROVED,
        Act.CANCEL: IssueState.CANCELLED,
        Act.RESCHEDULE: IssueState.DRAFT,
    },
    IssueState.REVIEW: {
        Act.REVISE: IssueState.DRAFT,
        Act.APPROVE: IssueState.APPROVED,
        Act.CANCEL: IssueState.CANCELLED,
        Act.RESCHEDULE: IssueState.REVIEW,
    },
    IssueState.APPROVED: {
        Act.REVISE: IssueState.DRAFT,
        # once more, where an edit took the release back
        Act.APPROVE: IssueState.APPROVED,
        Act.START: IssueState.SENDING,
        Act.CANCEL: IssueState.CANCELLED,
        Act.RESCHEDULE: IssueState.APPROVED,
    },
    IssueState.SENDING: {Act.PAUSE: IssueState.PAUSED, Act.FINISH: IssueState.SENT},
    # what was sent stays sent; cancelling ends what is still open
    IssueState.PAUSED: {Act.RESUME: IssueState.SENDING, Act.CANCEL: IssueState.CANCELLED},
    IssueState.SENT: {},
    IssueState.CANCELLED: {},
}


class IllegalMove(Exception):
    """The act is not possible in the state the issue is in."""


def next_state(state: IssueState, act: Act) -> IssueState:
    """Where `act` leads from `state`. Raises IllegalMove."""
    try:
        return MOVES[state][act]
    except KeyError:
        raise IllegalMove(f"cannot {act} an issue that is {state}") from None
