"""The addresses that mails point to. Always built on the configured base, never on a Host header."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Links:
    """URLs below `base`, which has no slash at its end. Tokens come from subscribers.tokens."""

    base: str

    def unsubscribe(self, token: str) -> str:
        return f"{self.base}/abmelden/{token}"

    def confirm(self, token: str) -> str:
        return f"{self.base}/bestaetigen/{token}"

    def undo(self, token: str) -> str:
        return f"{self.base}/rueckgaengig/{token}"

    def archive(self, token: str) -> str:
        return f"{self.base}/ausgabe/{token}"

    def preferences(self, token: str) -> str:
        return f"{self.base}/einstellungen/{token}"

    def ask_link(self) -> str:
        """Where anybody may ask for a link to her own data."""
        return f"{self.base}/einstellungen"

    def still_right(self, token: str) -> str:
        return f"{self.base}/noch-richtig/{token}"

    def contribute(self, token: str = "") -> str:
        """The form, or with a token the page that confirms what was sent in by it."""
        return f"{self.base}/beitrag/{token}" if token else f"{self.base}/beitrag"

    def picture(self, handle: int) -> str:
        """Of a contribution."""
        return f"{self.base}/bild/{handle:016x}"

    def entry(self, issue: int, number: int) -> str:
        """Leads on to where an entry does; short enough to stay on one line of a text."""
        return f"{self.base}/e/{issue:016x}/{number}"

    def logo(self) -> str:
        return f"{self.base}/logo"

    def sign_up(self, list_key: str) -> str:
        return f"{self.base}/anmelden/{list_key}"
