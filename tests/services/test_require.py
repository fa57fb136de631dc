import pytest

from tests.services.require import require


def test_programs_are_found_on_the_path() -> None:
    assert require("dash", "sh")["sh"].name == "sh"


def test_a_missing_program_skips_and_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFOMAIL_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no-such-program not found: .* package nothing"):
        require("nothing", "sh", "no-such-program")


def test_a_missing_program_fails_where_services_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOMAIL_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="install the Debian package nothing"):
        require("nothing", "no-such-program")
