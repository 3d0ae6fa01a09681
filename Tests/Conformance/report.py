"""Runs the checks and words what they came to."""

import ast
import collections
import json
import pathlib
import re
import time

import outcomes
import registry
from outcomes import shown

ROOT = pathlib.Path(__file__).resolve().parents[2]
KNOWN = pathlib.Path(__file__).resolve().parent / "known_failures.txt"
WORDS = {"FAIL": "fail"}
STATES = ("pass", "FAIL", "difference", "elsewhere", "n/a")

Row = collections.namedtuple("Row", "item level title state seen seconds")


def run(session, only=(), differences=None):
    """A row for each item, in order. `differences` is the text of the page that lists the deliberate ones."""
    for item in registry.wanted():
        if only and not any(item.startswith(prefix) for prefix in only):
            continue
        check = registry.CHECKS[item]
        start = time.monotonic()
        state, seen = outcome(check, session, differences)
        yield Row(item, check.level, check.title, state, shown(str(seen)), round(time.monotonic() - start, 3))


def outcome(check, session, differences):
    try:
        return "pass", check.run(session)
    except outcomes.NotApplicable as reason:
        return "n/a", reason
    except outcomes.Elsewhere as reason:
        if differences is None:
            return "n/a", "not checked from outside"
        absent = [test for test in reason.tests if not exists(test)]
        return ("FAIL", f"no such test: {', '.join(absent)}") if absent else ("elsewhere", f"see {reason}")
    except outcomes.Deviation as reason:
        if differences is None:
            return "FAIL", reason
        if " ".join(reason.quote.split()) not in " ".join(differences.split()):
            return "FAIL", f"{reason}; docs/api.md does not say: {reason.quote}"
        return "difference", f"{reason}: {reason.quote}"
    except Exception as error:
        return "FAIL", f"{type(error).__name__}: {error}" if not isinstance(error, outcomes.Failed) else error


def exists(test):
    """Whether the repository has a test of this name."""
    if "/" in test:
        suite, name = test.split("/")
        target, struct = suite.split(".")
        sources = (path.read_text() for path in (ROOT / "Tests" / target).rglob("*.swift"))
        return any(re.search(rf"\b{struct}\b", text) and re.search(rf"\bfunc {name}\(", text) for text in sources)
    module, case, name = test.split(".")
    path = ROOT / "Tests/EndToEnd" / f"{module}.py"
    if not path.exists():
        return False
    nodes = ast.parse(path.read_text()).body
    classes = [node for node in nodes if isinstance(node, ast.ClassDef) and node.name == case]
    return any(getattr(node, "name", None) == name for found in classes for node in found.body)


def known_failures(text):
    """Item and reason of each line `A8-01 reason`."""
    lines = (line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {line[0]: line[1] for line in lines}


def problems(rows, known):
    """What makes the exit code: failures that are not known, and known ones that are none any more."""
    for row in rows:
        if row.state == "FAIL" and row.item not in known:
            yield f"{row.item} fails: {row.seen}"
        if row.state not in ("FAIL", "n/a") and row.item in known:
            yield f"{row.item} is no failure any more: take it out of known_failures.txt"
    items = {row.item for row in rows}
    if items >= set(registry.wanted()):
        yield from (f"{item} of known_failures.txt is no item" for item in known if item not in items)


def table(rows):
    """The rows as text."""
    for row in rows:
        yield f"{row.item:7} {row.level:6} {row.state:10} {row.title}"
        yield f"{'':25} {row.seen}"


def markdown(columns):
    """One table of several runs: {name: rows}."""
    names = list(columns)
    yield "| item | | what | " + " | ".join(names) + " |"
    yield "|---|---|---|" + "---|" * len(names)
    by_item = {name: {row.item: row for row in rows} for name, rows in columns.items()}
    for item in registry.wanted():
        check = registry.CHECKS[item]
        cells = [cell(by_item[name].get(item)) for name in names]
        yield f"| {item} | {check.level} | {escaped(check.title)} | " + " | ".join(cells) + " |"


def cell(row):
    if row is None:
        return ""
    if row.state == "pass":
        return "pass"
    return f"**fails**: {escaped(shown(row.seen, 110))}" if row.state == "FAIL" else row.state


def escaped(text):
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", text)


def totals(rows):
    """How many of each outcome, by level."""
    count = collections.Counter((row.level, row.state) for row in rows)
    for level in ("MUST", "SHOULD"):
        words = (f"{count[level, state]} {WORDS.get(state, state)}" for state in STATES if count[level, state])
        yield f"{level}: " + ", ".join(words)


def as_json(rows, **more):
    return json.dumps({**more, "items": [row._asdict() for row in rows]}, indent=2, ensure_ascii=False) + "\n"
