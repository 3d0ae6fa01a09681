"""Runs modules of tests: run.py [--jobs N] [--results FILE] MODULE...

All of them run, whatever fails. Failures of scenarios that Tests/ratchet.txt calls known-broken do not make the exit
code; `scripts/check_ratchet.py` reads the results and says when one of them passes.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "scripts")]

import check_ratchet


class Result(unittest.TextTestResult):
    """Keeps the outcome and the time of each test."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.outcomes = {}
        self.began = {}

    def startTest(self, test):
        self.began[test.id()] = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.note(test, "passed")

    def note(self, test, outcome):
        """The first outcome counts: a test that failed in a part has failed."""
        name = getattr(test, "test_case", test).id()
        if name not in self.outcomes:
            seconds = time.monotonic() - self.began.get(name, time.monotonic())
            self.outcomes[name] = {"test": name, "outcome": outcome, "seconds": round(seconds, 3)}

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "failed")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, "failed")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.note(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test, error):
        """What is broken is known by Tests/ratchet.txt, and by nothing else."""
        super().addExpectedFailure(test, error)
        self.note(test, "failed")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "failed")


def run(modules, results=None, stream=None):
    """Runs the modules; the exit code."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
    runner = unittest.TextTestRunner(stream=stream, verbosity=2, resultclass=Result)
    outcomes = list(runner.run(suite).outcomes.values())
    if results:
        with open(results, "a") as file:
            file.writelines(json.dumps(outcome) + "\n" for outcome in outcomes)
    return tell(outcomes)


def run_beside(jobs, modules, results=None):
    """Runs so many modules at a time, each in a process of its own; most of them wait most of the time."""
    outcomes = []
    with tempfile.TemporaryDirectory() as directory, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        def one(module):
            found = pathlib.Path(directory) / module
            found.touch()
            command = [sys.executable, "-B", "-W", "ignore", __file__, "--results", found, module]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
            return module, done, [json.loads(line) for line in found.read_text().splitlines()]

        for future in concurrent.futures.as_completed([pool.submit(one, module) for module in modules]):
            module, done, of_module = future.result()
            seconds = sum(outcome["seconds"] for outcome in of_module)
            # Its last line is counted once, at the end.
            lines = done.stdout.rstrip("\n").split("\n")[:-1]
            print(f"\n-- {module}, {seconds:.0f} s of tests", *lines, sep="\n", flush=True)
            if not of_module:
                print(done.stdout)
                of_module = [{"test": module, "outcome": "failed", "seconds": 0}]
            outcomes += of_module
    if results:
        with open(results, "a") as file:
            file.writelines(json.dumps(outcome) + "\n" for outcome in outcomes)
    return tell(outcomes)


def tell(outcomes):
    """Says what came of the tests; the exit code."""
    known = check_ratchet.known_broken(check_ratchet.RATCHET.read_text())
    names = {kind: [o["test"] for o in outcomes if o["outcome"] == kind] for kind in ("passed", "failed", "skipped")}
    for name in sorted(set(names["failed"]) & known):
        print(f"known to be broken: {name}")
    if names["skipped"]:
        print(f"{len(names['skipped'])} skipped: {' '.join(names['skipped'])}")
    print(f"{len(names['passed'])} passed, {len(names['failed'])} failed", flush=True)
    return 1 if set(names["failed"]) - known or not outcomes else 0


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", help="gets a JSON line for each test")
    parser.add_argument("--jobs", type=int, default=1, help="modules at a time; 1 runs them in this process")
    parser.add_argument("modules", nargs="+", help="such as sdk_test, or sdk_test.Files.test_name")
    options = parser.parse_args(arguments)
    if options.jobs > 1:
        sys.exit(run_beside(options.jobs, options.modules, options.results))
    sys.exit(run(options.modules, options.results))


if __name__ == "__main__":
    main()
