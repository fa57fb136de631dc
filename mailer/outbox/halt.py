"""Stop an issue by itself when too many of its mails fail: something is wrong with it, or with us."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.issues.record import put_on_record
from mailer.issues.workflow import Act, next_state

#: so few failures stop nothing, whatever their share
_FEWEST = 10
#: the older half of so many verdicts is forgotten again and again: what counts is how it goes now
_MOST = 1000


def too_many(failed: int, sent: int, percent: int) -> bool:
    """Whether so many failures stop an issue; `percent` 0 never does."""
    return percent > 0 and failed >= _FEWEST and failed * 100 >= percent * (failed + sent)


@dataclass
class ErrorRates:
    """How the mails of each issue that a worker sends fare of late."""

    percent: int
    _verdicts: dict[int, tuple[int, int]] = field(init=False, default_factory=dict)

    def add(self, issue: int, sent: int, failed: int) -> str:
        """Count these; returns "" or, if the issue has to stop, how many failed of how many: "12/40"."""
        before = self._verdicts.get(issue, (0, 0))
        sent, failed = before[0] + sent, before[1] + failed
        if too_many(failed, sent, self.percent):
            # whoever resumes it does not want to be told of the same ones
            self._verdicts.pop(issue, None)
            return f"{failed}/{failed + sent}"
        if sent + failed > _MOST:
            sent, failed = sent // 2, failed // 2
        self._verdicts[issue] = sent, failed
        return ""


def halt(session: Session, issue_id: int, reason: str, *, actor: str, now: datetime) -> bool:
    """Pause an issue that is being sent, and keep the reason; whether it was."""
    issue = session.get(Issue, issue_id, with_for_update=True)
    if issue is None or issue.state is not IssueState.SENDING:
        return False
    issue.state = next_state(issue.state, Act.PAUSE)
    issue.halted = reason
    put_on_record(session, issue, Act.PAUSE, actor=actor, now=now, reason=reason)
    return True
