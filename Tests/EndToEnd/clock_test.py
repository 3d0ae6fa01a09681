"""T-27: the wall clock of a scheduler is set while it runs. Intervals and leases do not depend on it; windows and life
times do, within reason."""

import contextlib
import sqlite3
import sys
import time
import unittest

from history import TIMES, violations
from preload import library
from recorded import RecordedServices, executions
from services import wait_for

CONCURRENCY = 8
LEASE_MILLISECONDS = 2_000
# A running batch looks at the end of its window at least this often.
WINDOW_LOOK = 10
MINUTE = 60
HOUR = 60 * MINUTE
TOLERANCE = 300
DAY = 24 * HOUR
ORDER_OF_TIMES = [name for name in TIMES if name not in ("expires_at", "failed_at")]


class ClockServices(RecordedServices):
    def __init__(self, library):
        self.library = library
        super().__init__(
            engine=("--time-to-first-token", "50ms", "--slots", 64),
            scheduler=("--engine-concurrency", CONCURRENCY, "--lease", f"{LEASE_MILLISECONDS}ms",
                       "--sweep-interval", "1s"),
        )
        # At the engine, and as many whose answers were not synced yet.
        self.history.in_flight = 2 * CONCURRENCY

    def start_scheduler(self, *, environment=None, **options):
        self.set_clock(0)
        shifted = {"LD_PRELOAD": str(self.library), "CLOCK_SHIFT": str(self.path / "shift")}
        return super().start_scheduler(environment={**shifted, **(environment or {})}, **options)

    def set_clock(self, seconds):
        """By so many seconds from the right time."""
        new = self.path / "shift.new"
        new.write_text(f"{seconds:.3f}")
        new.replace(self.path / "shift")

    def log(self):
        return (self.path / "backfill-scheduler.log").read_text()

    def executions(self):
        return len(list(executions(self.witness)))

    def lease(self):
        with contextlib.closing(sqlite3.connect(self.path / "data" / "backfill.sqlite")) as database:
            return database.execute("SELECT owner FROM lease").fetchall()

    def lease_end(self):
        """In milliseconds of a clock that nobody sets."""
        with contextlib.closing(sqlite3.connect(self.path / "data" / "backfill.sqlite")) as database:
            return database.execute("SELECT MAX(ends_at) FROM lease").fetchone()[0]


class Clock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = library("shifted_clock", cls.addClassCleanup)

    def setUp(self):
        self.services = ClockServices(self.library)
        self.addCleanup(self.services.stop)

    def check(self):
        self.assertEqual(violations(self.services.collect()), [])
        for batch in self.services.history.batches.values():
            times = [batch[name] for name in ORDER_OF_TIMES if batch[name] is not None]
            self.assertEqual(times, sorted(times), batch)

    def hanging_batch(self, **more):
        """A batch that does not end alone; gives its order and id."""
        order, _, batch = self.services.order(["[[fault:hang]]"], **more)
        return order, batch

    def batch_that_expires(self):
        """A batch whose window ends a little later than the next look at every other's. Its end shows that those were
        looked at, and that windows do end."""
        services = self.services
        # No window is shorter than a minute: this one begins under a clock that is behind by the rest, and is believed.
        services.set_clock(WINDOW_LOOK + 2 - MINUTE)
        order, batch = self.hanging_batch(completion_window="1m")
        services.set_clock(0)
        # Which files have expired is a look at the clock, and each look follows it.
        list(services.pages("/v1/files"))
        return order, batch

    def windows_are_looked_at(self, expires, since):
        """Waits for the end of what `batch_that_expires` gave."""
        self.assertEqual(self.services.ended(*expires)["status"], "expired")
        self.assertGreater(time.monotonic() - since, WINDOW_LOOK, "its window ended before its time")

    def runs_on(self, shift):
        """Sets the clock under a running batch: it goes on at once under the same lease, and others begin."""
        services = self.services
        order, _, batch = services.order(["Hello"] * 200)
        wait_for(lambda: services.executions() > 2 * CONCURRENCY, "some answers")
        lease = services.lease()
        had_jumped = "the wall clock has jumped" in services.log()
        services.set_clock(shift)
        before = services.executions()
        wait_for(lambda: services.executions() > before + 2 * CONCURRENCY, "more answers", 10)
        later, _, another = services.order(["Hello"] * 5)
        created = services.get(later, another)["created_at"]
        # Steps of minutes are followed, a further one is doubted for a while.
        expected = time.time() + (shift if abs(shift) < TOLERANCE else 0)
        self.assertLess(abs(created - expected), 30)
        self.assertEqual("the wall clock has jumped" in services.log(), abs(shift) >= TOLERANCE or had_jumped)
        for number, id in ((order, batch), (later, another)):
            self.assertEqual(services.ended(number, id)["request_counts"]["failed"], 0)
        # Renewed when it would have ended else, however the clock stands.
        end = services.lease_end()
        wait_for(lambda: services.lease_end() > end + LEASE_MILLISECONDS, "the lease to be renewed", 10)
        self.assertEqual(services.lease(), lease)
        self.assertNotIn("lease is lost", services.log())

    def test_T27_an_hour_back(self):
        self.runs_on(-HOUR)
        self.services.set_clock(0)
        self.runs_on(-0.5)
        self.check()

    def test_T27_an_hour_ahead(self):
        self.runs_on(HOUR)
        self.services.set_clock(0)
        self.runs_on(0.5)
        self.check()

    def test_T27_to_1970(self):
        self.runs_on(-time.time() - DAY)
        self.services.set_clock(0)
        self.check()

    def test_T27_many_small_steps(self):
        services = self.services
        order, _, batch = services.order(["Hello"] * 300)
        lease = services.lease()
        for step in range(60):
            services.set_clock((-1) ** step * step / 20)
            time.sleep(0.05)
        self.assertEqual(services.ended(order, batch)["request_counts"]["completed"], 300)
        self.assertEqual(services.lease(), lease)
        services.set_clock(0)
        self.check()

    def test_T27_a_restart_with_another_clock_takes_up_what_ran(self):
        services = self.services
        order, _, batch = services.order(["Hello"] * 200)
        wait_for(lambda: services.executions() > 2 * CONCURRENCY, "some answers")
        services.scheduler.kill()
        services.history.crashes += 1
        services.restart_at()
        services.set_clock(-HOUR)
        self.assertEqual(services.ended(order, batch)["request_counts"]["completed"], 200)
        services.set_clock(0)
        self.check()

    def test_T27_I10_an_hour_ahead_ends_no_window_before_its_time(self):
        services = self.services
        batches = [self.hanging_batch(completion_window=window) for window in ("2m", "30m", "2h")]
        for order, batch in batches:
            wait_for(lambda: services.get(order, batch)["status"] == "in_progress", "it to run")
        expires = self.batch_that_expires()
        since = time.monotonic()
        services.set_clock(HOUR)
        self.windows_are_looked_at(expires, since)
        for order, batch in batches:
            self.assertEqual(services.get(order, batch)["status"], "in_progress")
            services.cancel(order, batch)
            self.assertEqual(services.ended(order, batch)["status"], "cancelled")
        services.set_clock(0)
        self.check()

    def test_T27_a_cancel_and_a_clock_that_is_set_back_agree(self):
        services = self.services
        order, batch = self.hanging_batch()
        wait_for(lambda: services.get(order, batch)["status"] == "in_progress", "it to run")
        services.set_clock(-HOUR)
        began = time.monotonic()
        services.cancel(order, batch)
        self.assertEqual(services.ended(order, batch)["status"], "cancelled")
        # The drain is an interval: 2 s by any clock.
        self.assertLess(time.monotonic() - began, 10)
        services.set_clock(0)
        self.check()

    def test_T27_I01_a_clock_that_is_wrong_for_a_moment_deletes_no_file_and_ends_no_window(self):
        """Deadlines have a sanity bound: a jump of a year is not believed at once."""
        services = self.services
        order, file, whole = services.order(["Hello"] * 5)
        output = services.ended(order, whole)["output_file_id"]
        running, batch = self.hanging_batch()
        wait_for(lambda: services.get(running, batch)["status"] == "in_progress", "it to run")
        expires = self.batch_that_expires()
        since = time.monotonic()
        services.set_clock(365 * DAY)
        services.sweep()
        self.windows_are_looked_at(expires, since)
        services.sweep()
        services.set_clock(0)
        self.assertLessEqual({file, output}, {f["id"] for f in services.pages("/v1/files")})
        self.assertEqual(services.get(running, batch)["status"], "in_progress")
        services.cancel(running, batch)
        services.ended(running, batch)
        self.check()

    def test_T27_I03_a_key_that_was_used_under_a_wrong_clock_is_remembered_under_the_right_one(self):
        services = self.services
        services.set_clock(-2 * DAY)
        order, file, batch = services.order(["[[fault:hang]]"])
        services.set_clock(0)
        # Which also forgets old keys.
        services.sweep()
        self.assertEqual(services.create(order, file).body["id"], batch)
        if services.get(order, batch)["status"] == "in_progress":
            services.cancel(order, batch)
        services.ended(order, batch)
        self.check()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
