"""T-01, T-09: the scheduler dies before and after each write, sync, rename, commit, send and reply, one at a time.

The story of `recorded.py` runs again and again; in run N the scheduler dies when it reaches its Nth fail point, and
dies once more while it recovers. The loop ends with a run in which nothing died.
"""

import pathlib
import re
import sys
import threading
import unittest

from history import violations
from recorded import RecordedServices

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCURRENCY = 8
WORKERS = 2
MOST_RUNS = 4_000


def names():
    """All fail points of the sources."""
    found = set()
    for path in (ROOT / "Sources").rglob("*.swift"):
        found |= set(re.findall(r'FailPoint\.reach\("([^"]+)"\)', path.read_text()))
    return found


class Loop(threading.Thread):
    """Runs N = first, first + WORKERS ... over one data directory."""

    def __init__(self, first):
        super().__init__()
        self.first = first
        self.services = RecordedServices(scheduler=(
            "--engine-concurrency", CONCURRENCY, "--lease", "2s", "--sweep-interval", "1s"))
        self.services.history.in_flight = CONCURRENCY
        self.runs = 0
        self.was_clean = False
        self.error = None

    def run(self):
        try:
            for number in range(self.first, MOST_RUNS, WORKERS):
                self.runs += 1
                if not self.crashed(number):
                    self.was_clean = True
                    return
        except BaseException as error:
            self.error = error

    def crashed(self, number):
        """One run; whether the scheduler died in it."""
        services = self.services
        before = services.history.crashes
        services.scheduler.kill()
        services.restart_at(f"any:{number}", f"any:{number * 7 % 23 + 1}")
        services.story(with_hanging_engine=number % 25 == 0)
        services.revive()
        return services.history.crashes > before


class EveryFailPoint(unittest.TestCase):
    def test_T01_T09_nothing_is_lost_wherever_the_scheduler_dies(self):
        loops = [Loop(first) for first in range(1, WORKERS + 1)]
        for loop in loops:
            self.addCleanup(loop.services.stop)
            loop.start()
        for loop in loops:
            loop.join()
        reached = set()
        for loop in loops:
            if loop.error:
                raise loop.error
            self.assertTrue(loop.was_clean, f"still dying after {MOST_RUNS} fail points")
            services = loop.services
            services.scheduler.kill()
            services.restart_at()
            self.assertEqual(violations(services.collect(with_blobs=True)), [])
            self.assertEqual(services.check_database(), "ok")
            reached |= services.fail_points_reached()
        self.assertEqual(names() - reached, set(), "fail points that no run reached")
        runs = sum(loop.runs for loop in loops)
        print(f"{runs} runs, {sum(loop.services.history.crashes for loop in loops)} crashes at {len(reached)} points")


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
