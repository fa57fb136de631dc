import pytest

from mailer.smtp.relay import Auth, Relay, Tls


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://mail.example.org", Relay("mail.example.org", 25)),
        ("smtp://mail.example.org:2525/?starttls=off", Relay("mail.example.org", 2525, Tls.OFF)),
        ("smtps://mail.example.org", Relay("mail.example.org", 465, Tls.IMPLICIT)),
        ("smtp://[::1]:26?connections=7", Relay("::1", 26, connections=7)),
        (
            "smtp://info%40example.org:p%2Fw%3A%C3%A4@mail.example.org:587?auth=login",
            Relay("mail.example.org", 587, Tls.REQUIRED, "info@example.org", "p/w:ä", Auth.LOGIN),
        ),
    ],
)
def test_an_smtp_url_names_a_relay(url: str, relay: Relay) -> None:
    assert Relay.from_url(url) == relay


@pytest.mark.parametrize(
    "url",
    [
        "http://secret:secret@example.org",
        "smtp://",
        "smtp://host:70000?x=secret",
        "smtp://u:sec/ret@host",
        "smtp://u:secret@host?starttls=opportunistic",
        "smtp://u:secret@host?starttls=never",
        "smtps://u:secret@host?starttls=off",
        "smtp://u:secret@host?auth=ntlm",
        "smtp://u:secret@host?connections=0",
        "smtp://u:secret@host?connections=101",
        "smtp://u:secret@host?conections=1",
        "smtp://u:secret@host?connections=1&connections=2",
        "smtp://u:secret%0d%0aRSET@host",
        "smtp://u:secret%00@host",
        "smtp://u:secret%ff@host",
        "smtp://host?auth=plain",
        "smtp://secret@host",
        "smtp://u:secret@[::1",
    ],
)
def test_a_faulty_url_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|smtp|auth|starttls|connections|password") as caught:
        Relay.from_url(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_password_is_never_shown() -> None:
    relay = Relay.from_url("smtp://user:geheim@mail.example.org")
    assert relay.password == "geheim"
    assert "geheim" not in repr(relay)
    assert relay.name == "mail.example.org:25"
    assert Relay("::1", 26).name == "[::1]:26"
