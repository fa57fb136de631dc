"""A new folder to run Infomail in: plan, settings with fresh keys, migrated database, register, lists."""

import base64
import contextlib
import re
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.installation import connect, load_plan, migrate
from mailer.schedule import Plan
from mailer.settings import Settings
from mailer.shipped import shipped
from subscribers.model import MailingList
from subscribers.register import import_register

_OWN_TEMPLATES = """\
Templates in this folder come before the shipped ones of the same name.
Copy one of those here, in its folder (mail/issue/body.mjml, ...), and change the copy.
`infomail check` says what is wrong in them, `infomail templates preview` shows them.
"""


def set_up(folder: Path, *, overrides: Mapping[str, str], now: datetime) -> list[str]:
    """Make the folder ready; what stands in it already is kept. Returns what was made, a line each.

    `overrides` are settings by their full names that a new .env gets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with contextlib.chdir(folder):
        if not Path("schedule.toml").exists():
            shutil.copyfile(shipped("schedule.toml"), "schedule.toml")
            made.append("schedule.toml")
        if not Path(".env").exists():
            _write_env(Path(".env"), overrides)
            made.append(".env with fresh keys")
        if not Path("templates").exists():
            Path("templates").mkdir()
            Path("templates/README").write_text(_OWN_TEMPLATES, encoding="utf-8")
            made.append("templates/")
        settings = Settings()
        plan = load_plan(settings)
        database = connect(settings)
        migrate(database)
        with database.write() as session:
            if import_register(session, settings.register_path or shipped("register") / "nrw").added:
                made.append("the register of municipalities")
            made += [f"the list {key}" for key in _add_lists(session, plan, settings, now)]
        database.close()
    return made


def _write_env(path: Path, overrides: Mapping[str, str]) -> None:
    values = {
        "INFOMAIL_SECRET_KEYS": f"1:{_key()}",
        "INFOMAIL_SUPPRESSION_KEY": _key(),
        **overrides,
    }
    text = shipped(".env.example").read_text(encoding="utf-8")
    for name, value in values.items():
        # the example names every setting once, those with a default behind a #
        line = f"{name}={value}".replace("\\", r"\\")
        text, found = re.subn(rf"(?m)^#?{name}=.*$", line, text)
        assert found == 1, name
    # keys are in it: for the owner's eyes only, from the first byte on
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _add_lists(session: Session, plan: Plan, settings: Settings, now: datetime) -> list[str]:
    """The lists that the plan sends to, where they do not exist."""
    wanted = dict.fromkeys(newsletter.list for newsletter in plan.newsletters.values())
    added = [key for key in wanted if session.get(MailingList, key) is None]
    session.add_all(MailingList(key=key, title=settings.network, created_at=now) for key in added)
    return added
