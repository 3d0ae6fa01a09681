"""The checks by item id of the API contract."""

import collections

Check = collections.namedtuple("Check", "item level title run")

CHECKS = {}


def check(item, level, title):
    """Registers a check of one item; it returns what was seen, or raises one of `outcomes`."""
    if level not in ("MUST", "SHOULD"):
        raise ValueError(f"{item} is neither MUST nor SHOULD")

    def register(run):
        if item in CHECKS:
            raise ValueError(f"{item} has two checks")
        CHECKS[item] = Check(item, level, title, run)
        return run

    return register


# How many items each section of the contract has.
SECTIONS = {"A1": 14, "A2": 10, "A3": 8, "A4": 7, "A5": 10, "A6": 6, "A7": 13, "A8": 5, "A9": 7, "A10": 9}


def wanted():
    """Ids of all items, in order."""
    return [f"{section}-{n:02}" for section, count in SECTIONS.items() for n in range(1, count + 1)]
