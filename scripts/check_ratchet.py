#!/usr/bin/env python3
"""Compares results of tests with Tests/ratchet.txt: check_ratchet.py RESULTS...

RESULTS are files of JSON lines by Tests/EndToEnd/run.py (.jsonl) and of `swift test --xunit-output` (.xml).
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

RATCHET = pathlib.Path(__file__).resolve().parents[1] / "Tests" / "ratchet.txt"
STATES = ("passing", "known-broken", "not-applicable")
# A scenario leaves the file for no reason; these must be in it.
LLM_D = {
    "create_crash_after_store", "cancel_event_lost", "orphaned_blob", "finalization_strand", "async_result_destruction",
    "duplicate_execution", "terminal_overwrite", "worker_crash_strands_job", "cancel_reverted", "recovery_crash_loop",
    "cancel_racing_completion",
}
WANTED = {f"S{n}" for n in range(1, 49)} | {f"R{n}" for n in range(1, 23)} | {f"T-{n:02}" for n in range(1, 42)}

Scenario = collections.namedtuple("Scenario", "state id name tests reason")


class BadRatchet(Exception):
    """The file does not say what it should."""


def scenarios(text):
    """The scenarios of a ratchet file."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            if not found:
                raise BadRatchet(f"line {number} belongs to no scenario")
            add(found, line)
            continue
        words = line.split()
        if len(words) != 3 or words[0] not in STATES:
            raise BadRatchet(f"line {number} is not 'STATE ID NAME': {line}")
        found.append(Scenario(*words, [], []))
    return found


def add(found, line):
    scenario = found[-1]
    if scenario.state == "not-applicable":
        scenario.reason.append(line.strip())
    else:
        scenario.tests.extend(line.split())


def known_broken(text):
    """Tests of which every scenario is known to be broken."""
    by_state = {state: {t for s in scenarios(text) if s.state == state for t in s.tests} for state in STATES}
    return by_state["known-broken"] - by_state["passing"]


def outcomes(paths):
    """Outcome by test; a test that ran several times has passed when it always did."""
    found = {}
    for path in paths:
        read = read_xunit if path.endswith(".xml") else read_json_lines
        for name, outcome in read(path):
            if found.get(name) != "failed":
                found[name] = outcome
    return found


def read_json_lines(path):
    with open(path) as file:
        for line in file:
            result = json.loads(line)
            yield result["test"], result["outcome"]


def read_xunit(path):
    """Swift's names: `Target.Suite` and `test(_:)` become `Target.Suite/test`."""
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = re.sub(r"\(.*", "", case.get("name"))
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        yield f"{case.get('classname')}/{name}", outcome


def problems(text, results):
    """What is not as the ratchet file says."""
    try:
        listed = scenarios(text)
    except BadRatchet as error:
        return [str(error)]
    found = [f"{s.id} is there twice" for n, s in enumerate(listed) if s.id in {t.id for t in listed[:n]}]
    found += [f"{name} is not in the file" for name in sorted(missing(listed))]
    for scenario in listed:
        found += [f"{scenario.id} {scenario.name}: {text}" for text in problems_of(scenario, results)]
    return found


def missing(listed):
    return (WANTED - {s.id for s in listed}) | (LLM_D - {s.name for s in listed if s.id.startswith("B5-03")})


def problems_of(scenario, results):
    if scenario.state == "not-applicable":
        if not scenario.reason:
            yield "no reason is given"
        if scenario.name in LLM_D:
            yield "one of the eleven applies always"
        return
    if not scenario.tests:
        yield "no test shows it"
    outcome = {test: results.get(test, "not run") for test in scenario.tests}
    if scenario.state == "passing":
        yield from (f"{test} {'was ' if what == 'skipped' else ''}{what}" for test, what in outcome.items()
                    if what != "passed")
        return
    if scenario.name in LLM_D:
        yield "one of the eleven must not be broken"
    yield from (f"{test} {what}" for test, what in outcome.items() if what in ("not run", "skipped"))
    if scenario.tests and set(outcome.values()) == {"passed"}:
        yield "its tests pass: move it to passing"


def main(paths):
    text = RATCHET.read_text()
    found = problems(text, outcomes(paths))
    for problem in found:
        print(f"ratchet: {problem}")
    if found:
        print(f"ratchet: {len(found)} problems")
        return 1
    count = collections.Counter(s.state for s in scenarios(text))
    print("ratchet: " + ", ".join(f"{count[state]} {state}" for state in STATES))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
