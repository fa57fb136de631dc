"""One spelling per address, and a salutation that never guesses."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from subscribers.addresses import BadAddress, _checked, address_hash, domain_of, masked, normalise, readable
from subscribers.model import FormOfAddress
from subscribers.salutation import salutation

FRAU, HERR, NEUTRAL = FormOfAddress.FRAU, FormOfAddress.HERR, FormOfAddress.NEUTRAL


@pytest.mark.parametrize(
    ("typed", "normalised"),
    [
        (" Anna.Muster@Example.ORG ", "anna.muster@example.org"),
        ("anna@BÜRO-köln.example.org", "anna@xn--bro-kln-q4a5h.example.org"),
        ("anna@straße.example.org", "anna@xn--strae-oqa.example.org"),  # IDNA 2008 keeps the sharp s
        ("anna@xn--strae-oqa.example.org", "anna@xn--strae-oqa.example.org"),
        ("mu\u0308ller@example.org", "müller@example.org"),  # NFC
        ("MÜLLER@example.org", "müller@example.org"),
        ("a+tag@example.org", "a+tag@example.org"),
    ],
)
def test_every_way_to_type_an_address_comes_to_one_spelling(typed: str, normalised: str) -> None:
    if "köln" in typed.lower():
        normalised = f"anna@{'büro-köln'.encode('idna').decode()}.example.org"
    assert normalise(typed) == normalised
    assert normalise(normalise(typed)) == normalised


@pytest.mark.parametrize(
    "typed",
    ["", "anna", "@example.org", "anna@", "a b@example.org", "anna@example.org\r\nBcc: x@example.org",
     "anna\0@example.org", "anna@example", "anna@@example.org", "anna@-example.org", "x" * 65 + "@example.org",
     "a\u2028@example.org", "anna@[127.0.0.1]"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_reason(typed: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        normalise(typed)
    assert str(refusal.value)
    assert "\n" not in str(refusal.value)


@settings(deadline=None)  # a busy machine is no finding
@given(st.text(max_size=80))
def test_normalising_refuses_or_comes_to_rest(text: str) -> None:
    try:
        once = normalise(text)
    except BadAddress:
        return
    assert normalise(once) == once
    assert all(character.isprintable() for character in once)


def test_readable_and_masked_show_the_domain_as_people_write_it() -> None:
    address = normalise("anna.muster@straße.example.org")
    assert domain_of(address) == "xn--strae-oqa.example.org"
    assert readable(address) == "anna.muster@straße.example.org"
    assert masked(address) == "a…@straße.example.org"


def test_the_hash_of_an_address_needs_the_key() -> None:
    assert address_hash(b"k" * 32, "a@example.org") != address_hash(b"l" * 32, "a@example.org")
    assert len(address_hash(b"k" * 32, "a@example.org")) == 32


@pytest.mark.parametrize(
    ("language", "form", "title", "given", "family", "expected"),
    [
        ("de", FRAU, "", "Erika", "Muster", "Sehr geehrte Frau Muster,"),
        ("de", HERR, "Dr.", "Max", "Muster", "Sehr geehrter Herr Dr.\xa0Muster,"),
        ("de", FRAU, "Prof. Dr. Dr. h. c.", "Erika", "Muster", "Sehr geehrte Frau Prof.\xa0Muster,"),
        ("de", HERR, "Dipl.-Ing.", "Max", "Muster", "Sehr geehrter Herr Muster,"),
        ("de", FRAU, "", "", "von Muster", "Sehr geehrte Frau von Muster,"),
        ("de", FRAU, "", "Erika", "", "Guten Tag Erika,"),  # no family name to greet by
        ("de", NEUTRAL, "Dr.", "Kim", "Muster", "Guten Tag Kim Muster,"),
        ("de", NEUTRAL, "", "", "", "Guten Tag,"),
        ("en", FRAU, "Dr.", "Erika", "Muster", "Dear Dr\xa0Muster,"),
        ("en", HERR, "Prof. Dr.", "Max", "Muster", "Dear Professor\xa0Muster,"),
        ("en", HERR, "Dipl.-Ing.", "Max", "Muster", "Dear Mr Muster,"),
        ("de", FRAU, "Professorin", "Erika", "zu Muster", "Sehr geehrte Frau Prof.\xa0zu Muster,"),
        ("de", HERR, "Dr.-Ing.", "Max", "Muster", "Sehr geehrter Herr Dr.\xa0Muster,"),
        ("en", NEUTRAL, "", "Kim", "Muster", "Hello Kim Muster,"),
        ("fr", HERR, "", "Max", "Muster", "Sehr geehrter Herr Muster,"),  # a language we do not have
    ],
)
def test_nobody_is_greeted_by_a_guess(
    language: str, form: FormOfAddress, title: str, given: str, family: str, expected: str
) -> None:
    assert salutation(language, form, title, given, family) == expected


_DOMAINS = st.sampled_from(["köln", "straße", "bürgerbüro", "xn--kln-sna", "example", "Ærøskøbing", "日本"])


@given(
    _DOMAINS,
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_no_form_of_a_domain_makes_a_second_person(name: str, form: str, case: Callable[[str], str]) -> None:
    # the upper case of ß is SS, which is another domain (IDNA 2008): nobody types it and means ß
    assume("ß" not in name or case is str.lower)
    other = unicodedata.normalize(form, case(name))  # type: ignore[arg-type]  # one of the four forms
    assert normalise(f"Anna@{other}.example.org") == normalise(f"anna@{name}.example.org")


@given(
    st.sampled_from(["de", "en"]), st.sampled_from(FormOfAddress), st.sampled_from(["", "Dr.", "Prof. Dr.", "Dipl.-Ing."]),
    st.sampled_from(["Erika", "Max", "Andrea", "Kim", ""]), st.sampled_from(["Erika", "Max", "Andrea", "Kim", ""]),
    st.sampled_from(["Muster", "von der Muster", "zu Beispiel", "Müller-Lüdenscheidt", "O’Muster", "Öz", ""]),
)  # fmt: skip
def test_a_first_name_never_decides_how_somebody_is_addressed(
    language: str, form: FormOfAddress, title: str, given: str, other: str, family: str
) -> None:
    greeting = salutation(language, form, title, given, family)
    assert greeting.endswith(",")
    assert "  " not in greeting
    assert family in greeting
    gendered = {"Frau", "Herr", "Ms", "Mr"} & set(re.split(r"\W+", greeting))
    assert not gendered or {"Frau": FRAU, "Ms": FRAU, "Herr": HERR, "Mr": HERR}[gendered.pop()] is form
    if gendered or (form is not NEUTRAL and family):
        assert greeting == salutation(language, form, title, other, family)
    else:
        opening = "Guten Tag" if language == "de" else "Hello"
        assert greeting == " ".join(filter(None, (opening, given, family))) + ","


@given(st.sampled_from(["de", "en"]), st.sampled_from(FormOfAddress), st.sampled_from(["", "Dr."]))
def test_a_functional_mailbox_is_greeted_without_a_name(
    language: str, form: FormOfAddress, title: str
) -> None:
    assert salutation(language, form, title, "", "") in ("Guten Tag,", "Hello,")


_LOCAL = st.text("abzAZ09.!#$%&'*+/=?^_`{|}~-\"\\ @äß\t", min_size=0, max_size=70)
_HOST = st.text("abzAZ09.-_äßK[]: ", min_size=0, max_size=60)


@settings(deadline=None, max_examples=500)
@given(
    _LOCAL | st.sampled_from(["a", "a.b", "x" * 64, "x" * 65]),
    _HOST
    | st.sampled_from(
        ["example.org", "EXAMPLE.ORG", "xn--kln-sna.example", "localhost", "a..b", "1.2.3.4", "test"]
    ),
)
def test_the_short_way_to_an_address_says_what_the_long_one_says(local: str, host: str) -> None:
    def long_way(text: str) -> str | None:
        try:
            return _checked(text.strip())
        except BadAddress:
            return None

    def short_way(text: str) -> str | None:
        try:
            return normalise(text)
        except BadAddress:
            return None

    assert short_way(f"{local}@{host}") == long_way(f"{local}@{host}")
