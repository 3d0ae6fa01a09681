"""What a check may come to."""


class Failed(AssertionError):
    """The contract is not kept."""


class NotApplicable(Exception):
    """The item cannot be asked of this server, for the reason given."""


class Elsewhere(Exception):
    """A test of the repository covers the item by name: `module.Class.test` or `Target.Suite/test`."""

    def __init__(self, *tests):
        super().__init__(", ".join(tests))
        self.tests = tests


class Deviation(Exception):
    """The server does otherwise. With `quote`, a sentence of docs/api.md that says so, it may be deliberate."""

    def __init__(self, seen, quote):
        super().__init__(seen)
        self.quote = quote


def expect(condition, seen):
    """Fails with what was seen unless `condition` holds."""
    if not condition:
        raise Failed(seen)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: {shown(found)}, not {shown(wanted)}")


def shown(value, most=160):
    """A value in one short line."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= most else text[: most - 1] + "…"
