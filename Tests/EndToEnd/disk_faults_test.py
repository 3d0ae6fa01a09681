"""T-04 to T-10: disks that are full, slow, broken or go read-only, bytes that rot, and formats of a newer program."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
import unittest

from damage import flip
from history import violations
from preload import library
from recorded import RecordedServices, executions
from services import DidNotStart, wait_for

CONCURRENCY = 8
SCHEDULER = ("--engine-concurrency", CONCURRENCY, "--lease", "2s", "--sweep-interval", "1s")
PAGE = 4_096
DISK_BYTES = 8 << 20
# Some ten answers.
RESULTS_BYTES = 4_000
SLOW = ("--time-to-first-token", "50ms")


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def needs_mounts(test):
    return unittest.skipIf(os.geteuid() != 0, "mounting a file system needs root")(test)


class DiskServices(RecordedServices):
    """The data directory may be a file system of its own, and syncs may be disturbed."""

    def __init__(self, *, disk=None, library=None, **options):
        self.disk, self.library = disk, library
        super().__init__(scheduler=options.pop("scheduler", SCHEDULER), **options)
        # At the engine, and as many whose answers were not synced yet.
        self.history.in_flight = 2 * CONCURRENCY

    @property
    def data(self):
        return self.path / "data"

    def start_pair(self):
        self.data.mkdir()
        self.fault = self.path / "fault"
        self.set_fault("none")
        if self.disk:
            self.disk(self)
        super().start_pair()

    def start_scheduler(self, *, environment=None, **options):
        disturbed = {"LD_PRELOAD": str(self.library), "SYNC_FAULT": str(self.fault)} if self.library else {}
        return super().start_scheduler(environment={**disturbed, **(environment or {})}, **options)

    def set_fault(self, text):
        """Whole or not at all, since the program reads it at every sync."""
        new = self.path / "fault.new"
        new.write_text(text)
        new.replace(self.fault)

    def stop(self):
        self.set_fault("none")
        for program in self.programs:
            if program.runs:
                program.kill()
        if self.disk and os.path.ismount(self.data):
            wait_for(lambda: run("umount", self.data).returncode == 0, f"nobody to use {self.data}", 10)
        return super().stop()

    def log(self):
        return (self.path / "backfill-scheduler.log").read_text()

    def database(self):
        return contextlib.closing(sqlite3.connect(self.data / "backfill.sqlite", isolation_level=None))

    def segment(self, batch):
        """The part of its result log that is being written."""
        logs = sorted((self.data / "jobs" / batch).glob("*.log"), key=lambda path: int(path.stem))
        return logs[-1] if logs else None

    def completed(self, order, batch):
        return self.get(order, batch)["request_counts"]["completed"]

    def waiting_reason(self, order, batch):
        return (self.get(order, batch).get("backfill") or {}).get("waiting_reason") or ""

    def try_upload(self, content=b"{}\n", purpose="user_data"):
        """One call without a second try."""
        return self.http.post(self.url + "/v1/files", data={"purpose": purpose},
                              files={"file": ("input.jsonl", content)}, timeout=60)


class DiskFaults(unittest.TestCase):
    def start(self, **options):
        services = DiskServices(**options)
        self.addCleanup(services.stop)
        return services

    def check(self, services, besides=()):
        """The promises hold, and every blob has its file and every file its blob (I-12)."""
        found = [v for v in violations(services.collect(with_blobs=True)) if not v.startswith(tuple(besides))]
        self.assertEqual(found, [])
        self.assertEqual(services.check_database(), "ok")
        self.assertTrue(services.scheduler.runs)

    def check_order(self, services, order, batch):
        ended = services.ended(order, batch)
        lines = len(services.history.orders[order])
        self.assertEqual(ended["request_counts"], {"total": lines, "completed": lines, "failed": 0}, ended)

    def check_usual_business(self, services):
        order, _, batch = services.order(["Hello"] * 5)
        self.check_order(services, order, batch)


@needs_mounts
class Full(DiskFaults):
    """A data directory of 8 MiB, of which a ballast file leaves as little as the test wants."""

    def start(self, **options):
        def mount(services):
            done = run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", services.data)
            if done.returncode:
                raise unittest.SkipTest(f"no tmpfs can be mounted here: {done.stderr}")
        return super().start(disk=mount, **options)

    def leave(self, services, free):
        """Takes all but `free` bytes."""
        def fill():
            self.give_room(services)
            status = os.statvfs(services.data)
            with contextlib.suppress(OSError), open(services.data / "ballast", "wb") as file:
                # Fails when the scheduler took some of it in between.
                os.posix_fallocate(file.fileno(), 0, max(status.f_bavail * status.f_frsize - free, 1))
                return True

        wait_for(fill, "the ballast", 10)

    def give_room(self, services):
        (services.data / "ballast").unlink(missing_ok=True)

    def test_T05_an_upload_to_a_full_disk_is_refused_and_leaves_nothing(self):
        services = self.start()
        self.check_usual_business(services)
        for free in (0, 64 << 10):
            self.leave(services, free)
            began = time.monotonic()
            # Several chunks: those behind the one that fails must not wait for it until their time is over.
            answer = services.try_upload(os.urandom(1 << 20))
            self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (503, "no_space"))
            self.assertIn("retry-after", answer.headers)
            self.assertLess(time.monotonic() - began, 20)
        self.give_room(services)
        # The lease, which could not be renewed, comes first.
        wait_for(lambda: services.try_upload(os.urandom(1 << 20)).status_code == 200, "an upload to be taken", 10)
        self.check_usual_business(services)
        self.assertEqual(services.history.crashes, 0)
        self.check(services)
        self.assertEqual(list((services.data / "staging").glob("*/*")), [])

    def fill_under_a_batch(self, services):
        """The disk is full in the middle of a batch, and answers have come since."""
        order, _, batch = services.order(["Hello"] * 200)
        wait_for(lambda: services.completed(order, batch) > 20, "some answers")
        self.leave(services, 0)
        before = len(list(executions(services.witness)))
        wait_for(lambda: len(list(executions(services.witness))) > before + 2 * CONCURRENCY, "more answers")
        return order, batch

    def test_T05_results_wait_for_room_and_the_batch_completes_then(self):
        services = self.start(engine=SLOW)
        order, batch = self.fill_under_a_batch(services)
        # It cannot be renewed on a full disk.
        wait_for(lambda: "the lease is lost" in services.log(), "the end of the lease", 10)
        before = services.completed(order, batch)
        self.assertLess(before, 200)
        # Reads go on.
        self.assertEqual(len(list(services.pages("/v1/batches"))), 1)
        self.give_room(services)
        self.check_order(services, order, batch)
        self.assertEqual(services.history.crashes, 0)
        # What waited when the lease ended is dropped and runs again, as after a crash.
        self.check(services, besides=["I-07"])

    def test_T05_a_batch_says_that_it_waits_for_room(self):
        services = self.start(engine=SLOW)
        order, batch = self.fill_under_a_batch(services)
        try:
            wait_for(lambda: "space" in services.waiting_reason(order, batch), "the reason", 10)
        finally:
            self.give_room(services)
        self.check_order(services, order, batch)

    def test_T05_I09_a_batch_on_a_full_disk_ends_when_it_was_cancelled_and_there_is_room(self):
        services = self.start(engine=SLOW)
        order, batch = self.fill_under_a_batch(services)
        status = services.http.post(f"{services.url}/v1/batches/{batch}/cancel").status_code
        self.assertIn(status, (200, 503))
        self.give_room(services)
        services.cancel(order, batch)
        self.assertEqual(services.ended(order, batch)["status"], "cancelled")
        self.assertEqual(services.history.crashes, 0)
        self.check(services)

    def test_T05_the_disk_is_full_at_any_write(self):
        """From no page on, each time a page more: every write is once the first that fails."""
        services = self.start()
        self.check_usual_business(services)
        line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
                "body": {"model": "simulated-model", "messages": [{"role": "user", "content": "Hello"}]}}
        content = json.dumps(line).encode() + b"\n"
        stopped = 0
        for pages in range(40):
            self.leave(services, pages * PAGE)
            upload = services.try_upload(content, "batch")
            status = upload.status_code
            if status == 200:
                body = {"input_file_id": upload.json()["id"], "endpoint": "/v1/chat/completions",
                        "completion_window": "24h", "metadata": {"order": f"page {pages}"}}
                status = services.http.post(services.url + "/v1/batches", json=body).status_code
                # What is left decides how far it gets; it ends when there is room.
                time.sleep(0.05)
            self.assertIn(status, (200, 503), f"{pages} pages: {upload.text}")
            stopped += status != 200
            self.give_room(services)
            self.assertTrue(services.scheduler.runs, f"it ended with {pages} pages")
        self.assertGreater(stopped, 2)
        for batch in list(services.pages("/v1/batches")):
            self.assertEqual(services.ended(0, batch["id"])["request_counts"]["failed"], 0)
        self.check_usual_business(services)
        self.check(services)


class Syncs(DiskFaults):
    @classmethod
    def setUpClass(cls):
        cls.library = library("failing_sync", cls.addClassCleanup)

    def start(self, **options):
        return super().start(library=self.library, **options)

    def ends_by_itself(self, services, pattern):
        """A sync fails: the scheduler does not go on with what it thinks is on disk; it comes back and recovers."""
        wait_for(lambda: f"sync fails: {services.data}" in services.log(), f"a sync of {pattern} to fail", 20)
        try:
            wait_for(lambda: not services.scheduler.runs, "the end", 10)
        except AssertionError:
            self.fail(f"the scheduler goes on after a failed sync of {pattern}")
        self.assertNotEqual(services.scheduler.process.returncode, 0)
        services.set_fault("none")
        services.revive()

    def test_T06_a_failed_sync_of_a_result_log_ends_the_scheduler_and_loses_nothing(self):
        services = self.start(engine=SLOW)
        for number in (1, 3):
            order, _, batch = services.order(["Hello"] * 100)
            wait_for(lambda: services.completed(order, batch) > 20, "some answers")
            services.set_fault(f"fail {number} /jobs/{batch}/")
            self.ends_by_itself(services, "the result log")
            self.check_order(services, order, batch)
        self.check(services)

    def test_T06_a_failed_sync_of_an_upload_ends_the_scheduler_and_is_not_acked(self):
        services = self.start()
        self.check_usual_business(services)
        for pattern in ("/staging/", "/blobs"):
            services.set_fault(f"fail 1 {pattern}")
            self.assertIn(services.try_upload().status_code, range(500, 600))
            self.ends_by_itself(services, pattern)
            self.check_usual_business(services)
        self.check(services)

    def test_T06_a_failed_sync_of_an_output_file_ends_the_scheduler_and_loses_nothing(self):
        services = self.start(engine=SLOW)
        for pattern in ("/staging/", "/blobs"):
            order, _, batch = services.order(["Hello"] * 20)
            services.set_fault(f"fail 1 {pattern}")
            self.ends_by_itself(services, f"an output at {pattern}")
            self.check_order(services, order, batch)
        self.check(services)

    def test_T06_a_failed_sync_of_the_database_ends_the_scheduler_and_loses_nothing(self):
        services = self.start()
        for number in (1, 2, 3):
            order, _, batch = services.order(["[[fault:hang]]"] * 3)
            services.set_fault(f"fail {number} backfill.sqlite")
            self.ends_by_itself(services, "the database")
            services.cancel(order, batch)
            services.ended(order, batch)
        self.check(services)

    def test_T08_a_slow_disk_under_one_batch_holds_up_no_read_and_no_other_batch(self):
        services = self.start(engine=SLOW)
        slow_order, _, slow = services.order(["Hello"] * 100)
        wait_for(lambda: services.completed(slow_order, slow) > 10, "some answers")
        services.set_fault(f"slow 5000 /jobs/{slow}/")
        began = time.monotonic()
        self.check_usual_business(services)
        self.assertEqual(len(list(services.pages("/v1/batches"))), 2)
        self.assertEqual(services.get(slow_order, slow)["status"], "in_progress")
        self.assertLess(time.monotonic() - began, 5)
        self.check_order(services, slow_order, slow)
        self.assertEqual(services.history.crashes, 0)
        self.check(services)

    def test_T08_a_disk_that_is_slow_everywhere_is_only_slow(self):
        services = self.start(scheduler=("--engine-concurrency", CONCURRENCY, "--sweep-interval", "1s"))
        services.set_fault("slow 300 data")
        order, _, batch = services.order(["Hello"] * 50)
        self.check_order(services, order, batch)
        self.assertEqual(services.history.crashes, 0)
        self.assertNotIn("lease is lost", services.log())
        services.set_fault("none")
        self.check(services)


@needs_mounts
class ReadOnly(DiskFaults):
    """An ext4 of its own, which `abort` makes read-only under a program as a broken disk would."""

    def start(self, **options):
        return super().start(disk=self.mount, **options)

    @staticmethod
    def mount(services):
        image = services.path / "image"
        if not image.exists():
            image.write_bytes(b"")
            os.truncate(image, 32 << 20)
            if (done := run("mkfs.ext4", "-q", image)).returncode:
                raise unittest.SkipTest(f"no ext4 can be made here: {done.stderr}")
        if (done := run("mount", "-o", "loop", image, services.data)).returncode:
            raise unittest.SkipTest(f"no loop device can be mounted here: {done.stderr}")

    def repair(self, services):
        """What an operator does: check the file system and mount it again."""
        if services.scheduler.runs:
            services.scheduler.kill()
        run("umount", services.data)
        self.assertLess(run("e2fsck", "-fy", services.path / "image").returncode, 4)
        self.mount(services)

    def test_T08_a_disk_that_goes_read_only_loses_nothing_that_was_acked(self):
        services = self.start(engine=SLOW)
        done, _, whole = services.order(["Hello"] * 5)
        self.check_order(services, done, whole)
        order, _, batch = services.order(["Hello"] * 100)
        wait_for(lambda: services.completed(order, batch) > 20, "some answers")
        self.assertEqual(run("mount", "-o", "remount,abort", services.data).returncode, 0)
        # Not acked, whether the scheduler has ended or not.
        self.assertIn(services.try_upload().status_code, range(500, 600))
        wait_for(lambda: not services.scheduler.runs, "the end, since a sync failed", 15)
        self.repair(services)
        services.revive()
        self.check_order(services, order, batch)
        self.check_usual_business(services)
        # Answers go on coming until the sync has failed, and none of them is recorded.
        services.history.in_flight = 4 * CONCURRENCY
        self.check(services)

    def test_T08_a_read_only_data_directory_is_refused_by_name(self):
        services = self.start()
        order, _, batch = services.order(["Hello"] * 5)
        self.check_order(services, order, batch)
        services.scheduler.terminate()
        self.assertEqual(run("mount", "-o", "remount,ro", services.data).returncode, 0)
        with self.assertRaises(DidNotStart) as refused:
            services.restart_at()
        self.assertRegex(str(refused.exception).lower(), "read-only|readonly")
        self.assertEqual(run("mount", "-o", "remount,rw", services.data).returncode, 0)
        services.restart_at()
        self.check_usual_business(services)
        self.check(services)


class Rot(DiskFaults):
    """T-04: bits flip in the result log of a batch while no scheduler runs."""

    HEADER_BYTES = 16

    def check_flip(self, where):
        """Flips the bit that `where(size)` gives the offset of, and sees the batch through."""
        services = self.start(engine=SLOW)
        order, _, batch = services.order(["Hello"] * 100)
        self.wait_for_results(services, batch)
        services.scheduler.kill()
        segment = services.segment(batch)
        flip(segment, where(segment.stat().st_size))
        services.revive()
        self.check_whole(services, order, batch, segment)

    def wait_for_results(self, services, batch):
        """On disk; the API tells of them later."""
        wait_for(lambda: (log := services.segment(batch)) and log.stat().st_size > RESULTS_BYTES, "some results")

    def check_whole(self, services, order, batch, segment):
        self.check_order(services, order, batch)
        # Lines that the damage hit run again besides those in flight: a flip hits one record and what it hides.
        services.history.in_flight += 2
        self.check(services)
        self.assertIn("a result log is damaged", services.log())
        self.assertIn(str(segment), services.log())

    def test_T04_damage_of_a_batch_that_had_all_its_results(self):
        """It died while it assembled its output, so that no line was to run any more."""
        services = self.start(engine=SLOW)
        order, _, batch = services.order(["Hello"] * 100)
        self.wait_for_results(services, batch)
        services.scheduler.kill()
        services.restart_at("store.before_rename:1")
        wait_for(lambda: not services.scheduler.runs, "the fail point")
        first = services.data / "jobs" / batch / "1.log"
        flip(first, first.stat().st_size // 2)
        services.revive()
        self.check_whole(services, order, batch, first)

    def test_T04_a_bit_of_the_magic_number(self):
        self.check_flip(lambda _: 0)

    def test_T04_a_bit_of_the_version(self):
        self.check_flip(lambda _: 4)

    def test_T04_a_bit_of_the_epoch(self):
        self.check_flip(lambda _: 8)

    def test_T04_a_bit_of_the_header_s_checksum(self):
        self.check_flip(lambda _: 12)

    def test_T04_a_bit_of_a_record_s_length(self):
        self.check_flip(lambda _: self.HEADER_BYTES)

    def test_T04_a_high_bit_of_a_record_s_length(self):
        self.check_flip(lambda _: self.HEADER_BYTES + 3)

    def test_T04_a_bit_of_a_record_s_checksum(self):
        self.check_flip(lambda _: self.HEADER_BYTES + 4)

    def test_T04_a_bit_of_a_record_s_line_number(self):
        self.check_flip(lambda _: self.HEADER_BYTES + 8)

    def test_T04_a_bit_of_an_answer(self):
        self.check_flip(lambda size: size // 2)


def crc32c(data):
    """As in RFC 3720, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Versions(DiskFaults):
    """T-10: what a newer program wrote is refused by name, and nothing is done to it."""

    NEWER = 99

    def test_T10_a_newer_database_is_refused_and_left_as_it_is(self):
        services = self.start()
        self.check_usual_business(services)
        services.scheduler.terminate()
        with services.database() as database:
            old = database.execute("PRAGMA user_version").fetchone()[0]
            database.execute(f"PRAGMA user_version = {self.NEWER}")
        for _ in range(2):
            with self.assertRaises(DidNotStart) as refused:
                services.restart_at()
            self.assertRegex(str(refused.exception), f"format {self.NEWER}")
        with services.database() as database:
            self.assertEqual(database.execute("PRAGMA user_version").fetchone()[0], self.NEWER)
            database.execute(f"PRAGMA user_version = {old}")
        services.restart_at()
        self.check_usual_business(services)
        self.check(services)

    def test_T10_a_newer_segment_puts_its_batch_aside_and_no_other(self):
        services = self.start(engine=SLOW)
        order, _, batch = services.order(["Hello"] * 100)
        wait_for(lambda: (log := services.segment(batch)) and log.stat().st_size > RESULTS_BYTES, "some results")
        services.scheduler.kill()
        segment = services.segment(batch)
        written = segment.read_bytes()
        header = written[:4] + self.NEWER.to_bytes(4, "little") + written[8:12]
        epoch = written[8:12]
        segment.write_bytes(header + crc32c(batch.encode() + epoch + header).to_bytes(4, "little") + written[16:])
        services.revive()
        wait_for(lambda: f"segment format {self.NEWER}" in services.log(), "the version in the log")
        wait_for(lambda: "put aside" in services.log(), "the batch to be put aside")
        self.check_usual_business(services)
        self.assertEqual(services.get(order, batch)["status"], "in_progress")
        self.assertEqual(segment.read_bytes()[4], self.NEWER)
        self.assertEqual(services.history.crashes, 1)
        # The program that can read it is back.
        services.scheduler.terminate()
        segment.write_bytes(written)
        services.restart_at()
        self.check_order(services, order, batch)
        self.check(services)

    def test_T10_a_newer_plan_is_refused_by_name(self):
        services = self.start()
        order, file, batch = services.order(["Hello"] * 5)
        self.check_order(services, order, batch)
        plan = services.blob(f"{file}.plan")
        # As if written without checksums: those would tell the change from a version.
        plan.with_name(plan.name + ".sums").unlink()
        plan.write_bytes(plan.read_bytes()[:4] + self.NEWER.to_bytes(4, "little") + plan.read_bytes()[8:])
        again = services.create(order + 1, file).body["id"]
        services.history.orders[order + 1] = services.history.orders[order]
        wait_for(lambda: f"version {self.NEWER}" in services.log() or f"format {self.NEWER}" in services.log() or
                 services.get(order + 1, again)["completed_at"], "a word about the plan")
        self.assertNotEqual(services.get(order + 1, again)["status"], "completed", "a plan of another version was read")
        self.assertTrue(services.scheduler.runs)

    def test_T10_a_newer_record_puts_its_batch_aside_and_no_other(self):
        services = self.start()
        order, _, batch = services.order(["[[fault:hang]]"] * 2)
        wait_for(lambda: services.get(order, batch)["status"] == "in_progress", "the batch to run")
        services.scheduler.kill()
        with services.database() as database:
            query = "SELECT payload FROM record WHERE kind = 'batch' AND id = ?"
            payload = json.loads(database.execute(query, (batch,)).fetchone()[0])
            payload["format"] = self.NEWER
            database.execute("UPDATE record SET payload = ? WHERE id = ?", (json.dumps(payload).encode(), batch))
        services.revive()
        wait_for(lambda: "put aside" in services.log() and str(self.NEWER) in services.log(), "the report")
        self.check_usual_business(services)
        self.assertEqual(services.http.get(f"{services.url}/v1/batches/{batch}").status_code, 500)
        self.assertTrue(services.scheduler.runs)
        self.assertEqual(services.history.crashes, 1)


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
