"""Where the data that ships with Infomail lies: templates, register, the sample schedule.

In a wheel it stands inside this package, in a checkout beside it; nothing else differs.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The shipped file or folder `name` ("templates", "register", "schedule.toml")."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
