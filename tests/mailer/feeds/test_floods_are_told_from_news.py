import pytest

from mailer.feeds.flood import FEWEST, NEW_FOR_EACH_KNOWN, is_flood


@pytest.mark.parametrize(
    ("on_record", "new", "known", "flood"),
    [
        (0, 500, 0, False),  # the first fetch
        (5, 3, 2, False),  # a small feed goes on: 3 new of 5
        (12, 12, 0, True),  # every GUID changed overnight
        (12, FEWEST - 1, 0, False),  # few enough to be looked through
        (12, FEWEST, 0, True),
        (1000, 40, 0, True),  # what is on record grew over years
        (40, 40, 10, False),  # 40 = 4 x 10: after a week of silence, but the thread is not lost
        (40, 41, 10, True),
        (3, 100, 3, True),  # 100 > 4 x 3
        (40, 0, 40, False),
    ],
)
def test_a_flood_is_many_new_entries_beside_hardly_any_known_one(
    on_record: int, new: int, known: int, flood: bool
) -> None:
    assert NEW_FOR_EACH_KNOWN == 4
    assert is_flood(on_record=on_record, new=new, known=known) is flood
