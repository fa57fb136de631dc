"""Whether so many new entries at once are news, or a server that renamed all it had.

A site that is moved or updated overnight may give each entry a new GUID and a new date. Taken for new,
they would all stand in the next mail once more.
"""

#: fewer new entries than this are looked through by whoever reads the draft anyway
FEWEST = 10
#: a feed that goes on has at least one known entry for so many new ones
NEW_FOR_EACH_KNOWN = 4


def is_flood(*, on_record: int, new: int, known: int) -> bool:
    """Whether it is implausible that a feed with `on_record` items brings `new` ones beside `known` ones.

    The first fetch of a feed never is: nothing is on record then.
    """
    return on_record > 0 and new >= FEWEST and new > NEW_FOR_EACH_KNOWN * known
