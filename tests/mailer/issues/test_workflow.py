"""The workflow's table: nothing is sent that was not approved, and what is over is over."""

import pytest

from mailer.issues.model import IssueState
from mailer.issues.workflow import MOVES, Act, IllegalMove, next_state


def test_every_state_has_its_moves_and_every_act_its_use() -> None:
    assert set(MOVES) == set(IssueState)
    assert {act for moves in MOVES.values() for act in moves} == set(Act)


def test_only_an_approved_issue_starts() -> None:
    assert [state for state, moves in MOVES.items() if Act.START in moves] == [IssueState.APPROVED]


def test_sending_is_reached_by_a_start_or_a_resume_alone() -> None:
    ways = {act for moves in MOVES.values() for act, to in moves.items() if to is IssueState.SENDING}
    assert ways == {Act.START, Act.RESUME}


@pytest.mark.parametrize("over", [IssueState.SENT, IssueState.CANCELLED])
@pytest.mark.parametrize("act", list(Act))
def test_what_is_over_never_moves_again(over: IssueState, act: Act) -> None:
    with pytest.raises(IllegalMove, match=f"cannot {act} an issue that is {over}"):
        next_state(over, act)
