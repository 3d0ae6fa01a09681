#!/usr/bin/env python3
"""Takes the protections away one at a time and expects the named test to fail.

mutate.py [--work DIR] [--as-is] [--write-table] [NAME...]
mutate.py --check

Each file of Tests/mutations is one mutation (its name: the file's without the ending):

    title: what is taken away
    protects: what it is there for
    promises: I-01 T-02
    test: swift Target.Suite/test     or     python [VARIABLE=value...] module.Class.test
    === Sources/path
    --- old
    text that occurs exactly once in that file
    --- new
    what stands there instead
    ---

The tests run in a clone of this repository's last commit: in DIR, which is kept, made if it is missing and brought up to
date (unless --as-is), or in a temporary one. Every test must first pass as the sources are. --check only looks whether
every old text is still there, in the sources beside this script. --write-table writes docs/reliability.md.
"""

import argparse
import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import check_ratchet

ROOT = pathlib.Path(__file__).resolve().parents[1]
MUTATIONS = ROOT / "Tests" / "mutations"
PAGE = ROOT / "docs" / "reliability.md"
MARKERS = ("<!-- mutations: written by scripts/mutate.py -->", "<!-- end of mutations -->")
# A protection that is missing may make things hang; that is a failure too.
TEST_SECONDS = 900
BUILD_SECONDS = 3_600
# What Python tests run; those that run the command line tool find that of the first build.
PROGRAMS = ("backfill-scheduler", "backfill-gateway", "backfill-engine-simulator")
KEYS = ("title", "protects", "promises", "test")

Mutation = collections.namedtuple("Mutation", ("name", *KEYS, "edits"))
Edit = collections.namedtuple("Edit", "path old new")


class BadMutation(Exception):
    """A mutation's file or what it is applied to is not as it should be."""


# -- Reading


def mutations(directory=MUTATIONS):
    return [read(path) for path in sorted(directory.glob("*.txt"))]


def read(path):
    """One file; see above."""
    head, *parts = re.split(r"^=== (.*)\n", path.read_text(), flags=re.MULTILINE)
    fields = dict(line.split(": ", 1) for line in head.splitlines() if line)
    if tuple(fields) != KEYS or not parts:
        raise BadMutation(f"{path.name}: give {', '.join(KEYS)} in this order and at least one file")
    return Mutation(path.stem, *fields.values(), [edit(path, *pair) for pair in zip(parts[::2], parts[1::2])])


def edit(path, file, text):
    match = re.fullmatch(r"--- old\n(.*?)--- new\n(.*?)---\n*", text, flags=re.DOTALL)
    if not match or not match[1]:
        raise BadMutation(f"{path.name}: {file} needs '--- old', '--- new' and '---'")
    return Edit(file, match[1], match[2])


def mutated(mutation, root):
    """The files that it changes, with their new text."""
    found = {}
    for path, old, new in mutation.edits:
        text = found.get(path) or (root / path).read_text()
        if text.count(old) != 1:
            raise BadMutation(f"{mutation.name}: its old text occurs {text.count(old)} times in {path}")
        found[path] = text.replace(old, new)
    return found


def check():
    """Whether all mutations still apply."""
    problems, read_ = [], []
    for path in sorted(MUTATIONS.glob("*.txt")):
        try:
            read_.append(read(path))
            mutated(read_[-1], ROOT)
        except (BadMutation, OSError, ValueError) as error:
            problems.append(str(error))
    for problem in problems:
        print(f"mutations: {problem}")
    if not problems:
        print(f"mutations: {len(read_)} apply")
    return 1 if problems or not read_ else 0


# -- Running


def command(test, results):
    """What runs a test, as arguments and environment."""
    kind, *words = test.split()
    environment = dict(word.split("=", 1) for word in words if "=" in word)
    name = words[-1]
    if kind == "swift":
        # A filter is a regular expression over Target.Suite/test().
        arguments = ["swift", "test", "--skip-build", "--disable-xctest", "--xunit-output", results]
        return [*arguments, "--filter", f"^{re.escape(name)}\\("], environment
    if kind == "python":
        runner = "Tests/EndToEnd/run.py"
        return [str(ROOT / ".venv/bin/python"), "-B", "-W", "ignore", runner, "--results", results, name], environment
    raise BadMutation(f"{test} is neither of swift nor of python")


class Clone:
    """The clone in which sources are changed and tests run."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def update(self):
        if not (self.path / ".git").exists():
            subprocess.run(["git", "clone", "--quiet", ROOT, self.path], check=True)
        else:
            subprocess.run(["git", "fetch", "--quiet", ROOT, "HEAD"], cwd=self.path, check=True)
            subprocess.run(["git", "reset", "--quiet", "--hard", "FETCH_HEAD"], cwd=self.path, check=True)

    def build(self, kind=None):
        """Whether what a kind of test needs builds; without one: everything."""
        products = [["--product", program] for program in PROGRAMS] if kind == "python" else [["--build-tests"]]
        return all(self.run(["swift", "build", *product], {}, BUILD_SECONDS)[0] == 0 for product in products)

    def failure(self, test):
        """How a test that was built fails; empty when it passes, and then it must have run."""
        with tempfile.TemporaryDirectory() as directory:
            kind = test.split()[0]
            results = pathlib.Path(directory, "r.xml" if kind == "swift" else "r.jsonl")
            code, output = self.run(*command(test, str(results)), TEST_SECONDS)
            if code != 0:
                return reason(output) or f"exit code {code}"
            if check_ratchet.outcomes([str(results)]).get(test.split()[-1]) == "passed":
                return ""
            raise BadMutation(f"{test} did not run:\n{output[-2_000:]}")

    def run(self, arguments, environment, seconds):
        """The exit code and the output; a process that takes too long is killed with its children."""
        environment = {**os.environ, "PROGRAMS": str(self.path / ".build/debug"), **environment}
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(arguments, cwd=self.path, env=environment, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = -1
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            output.seek(0)
            return code, output.read().decode(errors="replace")

    def try_out(self, mutation):
        """Applies it, runs its test and reverts it; what came of it, the seconds of the test and how it failed."""
        files = mutated(mutation, self.path)
        before = {path: (self.path / path).read_text() for path in files}
        try:
            for path, text in files.items():
                (self.path / path).write_text(text)
            if not self.build(mutation.test.split()[0]):
                return "DOES NOT BUILD", 0, ""
            began = time.monotonic()
            failure = self.failure(mutation.test)
            return "caught" if failure else "SURVIVED", time.monotonic() - began, failure
        finally:
            for path, text in before.items():
                (self.path / path).write_text(text)


def reason(output):
    """The line of a test's output that tells most of why it failed."""
    lines = re.findall(r"^(?:.*recorded an issue.*|[\w.]*(?:Error|Exception|DidNotStart): .*)$", output, re.MULTILINE)
    return lines[0].strip()[:200] if lines else ""


def run(wanted, clone):
    """Tries all out; (mutation, outcome, seconds) of each."""
    say("building")
    if not clone.build():
        raise BadMutation("the sources do not build as they are")
    broken = {}
    for test in sorted({m.test for m in wanted}):
        began = time.monotonic()
        broken[test] = clone.failure(test)
        say(f"{'fails' if broken[test] else 'passes'} as it is ({time.monotonic() - began:.0f} s): {test} {broken[test]}")
    found = []
    for mutation in wanted:
        outcome = "THE TEST FAILS ANYWAY", 0, broken[mutation.test]
        outcome, seconds, failure = outcome if broken[mutation.test] else clone.try_out(mutation)
        found.append((mutation, outcome, seconds))
        say(f"{outcome} ({seconds:.0f} s): {mutation.name}: {mutation.title}" + (f"\n    {failure}" if failure else ""))
    return found


def say(text):
    print(text, flush=True)


# -- The table


def row(mutation, seconds):
    test = mutation.test.split()[-1]
    return f"| {mutation.title} | {mutation.protects} | {mutation.promises} | `{test}` | {seconds:.0f} |"


def write_table(found, known, page=PAGE):
    """Puts the rows of mutations that were caught into the page; rows of those that did not run stay."""
    text = page.read_text()
    start, end = text.index(MARKERS[0]) + len(MARKERS[0]), text.index(MARKERS[1])
    rows = {line.split(" | ")[0]: line for line in text[start:end].splitlines() if line.startswith("| ")}
    rows.update({f"| {m.title}": row(m, seconds) for m, outcome, seconds in found if outcome == "caught"})
    head = ["", "| taken away | what it protects | | the test that fails | seconds |", "|---|---|---|---|---|"]
    body = [rows[f"| {m.title}"] for m in known if f"| {m.title}" in rows]
    page.write_text(text[:start] + "\n".join(head + body) + "\n" + text[end:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--work", metavar="DIR")
    parser.add_argument("--as-is", action="store_true")
    parser.add_argument("--write-table", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.check:
        return check()
    # The sources are put back however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = [m for m in mutations() if not options.names or m.name in options.names]
    subprocess.run([ROOT / "scripts/venv.sh"], check=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        clone = Clone(pathlib.Path(options.work or f"{temporary}/clone").resolve())
        if not options.as_is:
            clone.update()
        found = run(wanted, clone)
    if options.write_table:
        write_table(found, mutations())
    survived = [m.name for m, outcome, _ in found if outcome != "caught"]
    print(f"{len(found) - len(survived)} of {len(found)} mutations were caught" + "".join(f"\nnot: {n}" for n in survived))
    return 1 if survived or not found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadMutation as error:
        sys.exit(f"mutate: {error}")
