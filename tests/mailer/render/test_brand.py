"""Colour and logo of the mails: readable whatever the operator chose, and within the mail."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mailer.render.brand import LARGEST, BadLogo, Brand, read_logo
from mailer.render.colours import ENOUGH, BadColour, contrast, palette

_CHANNEL = st.integers(0, 255)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # the first two are the ends of the scale; the others stand in WCAG's own explanations as just (not) enough
    [
        ("#000000", "#ffffff", 21.0),
        ("#123456", "#123456", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
    ],
)
def test_contrast_is_counted_as_wcag_counts_it(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.005)


@given(_CHANNEL, _CHANNEL, _CHANNEL)
def test_whatever_colour_is_chosen_all_words_can_be_read(red: int, green: int, blue: int) -> None:
    chosen = f"#{red:02x}{green:02x}{blue:02x}"
    try:
        made = palette(chosen)
    except BadColour:
        assert contrast(chosen, "#ffffff") < ENOUGH
        return
    read = [
        ("#ffffff", made.main), (made.main, made.box), (made.link, "#ffffff"), (made.link, made.box),
        ("#1f2933", made.box), (made.link, "#e9edf1"), (made.link_in_dark, "#1b2229"),
        (made.link_in_dark, "#11161b"), (made.link_in_dark, "#26323d"),
    ]  # fmt: skip
    assert [(words, behind) for words, behind in read if contrast(words, behind) < ENOUGH] == []


@pytest.mark.parametrize("colour", ["", "blue", "#0b3", "#0b3d6", "0b3d61", "#0b3d61;", "url(x)", "#ffcc00"])
def test_a_colour_that_cannot_be_used_is_refused(colour: str) -> None:
    with pytest.raises(BadColour):
        palette(colour)


def _file(path: Path, width: int, height: int, kind: str = "PNG") -> Path:
    Image.new("RGB", (width, height), "#0b3d61").save(path, kind)
    return path


@pytest.mark.parametrize(
    ("size", "shown"),
    [((600, 112), (300, 56)), ((100, 20), (100, 20)), ((56, 560), (6, 56)), ((3000, 10), (300, 1))],
)
def test_a_logo_is_shown_no_larger_than_there_is_room(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    logo = read_logo(_file(tmp_path / "logo.png", *size))
    assert ((logo.width, logo.height), logo.media_type) == (shown, "image/png")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        bytes(LARGEST + 1),
    ],
)
def test_what_mail_programs_do_not_show_is_no_logo(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "logo"
    path.write_bytes(content)
    with pytest.raises(BadLogo):
        read_logo(path)


def test_a_small_file_of_many_pixels_is_no_logo(tmp_path: Path) -> None:
    path = _file(tmp_path / "logo.png", 20_000, 1_000)
    assert path.stat().st_size < LARGEST * 2
    with pytest.raises(BadLogo):
        read_logo(path)


def test_a_brand_comes_back_from_its_record(tmp_path: Path) -> None:
    brand = Brand(palette("#9b0000"), read_logo(_file(tmp_path / "logo.jpg", 50, 50, "JPEG")))
    assert Brand.of(brand.record()) == brand
    assert Brand.of(Brand().record()) == Brand()


def test_a_logo_travels_under_the_name_that_templates_show(tmp_path: Path) -> None:
    brand = Brand(logo=read_logo(_file(tmp_path / "logo.png", 50, 50)))
    image = brand.image("example.org")
    assert image is not None
    assert brand.context("example.org")["logo"]["src"] == f"cid:{image.name}"
    assert Image.open(io.BytesIO(image.data)).size == (50, 50)
