"""The real peers these tests talk to."""

from tests.services.postfix import postfix

__all__ = ["postfix"]
