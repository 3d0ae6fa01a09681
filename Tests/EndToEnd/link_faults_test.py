"""T-19, T-20, T-24: a gateway and a scheduler with a bad network between them. Calls fail clearly or are repeated, and
at the end the history of all calls fits what is stored and what ran."""

import collections
import concurrent.futures
import contextlib
import json
import os
import random
import sqlite3
import sys
import time
import unittest

import httpx

from fault_proxy import TO_CLIENT, TO_SERVER, FaultProxy
from history import violations
from recorded import RecordedServices, executions
from services import wait_for

# 1: a reset at every byte; the others for a faster run.
STRIDE = int(os.environ.get("LINK_STRIDE", "17"))
WORKERS = 2
# A call may take 30 s until the gateway gives up, and the HTTP client must outlast that.
CALL_SECONDS = 30
SLACK_SECONDS = 10
# Of one batch.
MOST_LINES = 100
SCHEDULER = ("--engine-concurrency", 8, "--lease", "2s", "--sweep-interval", "1s")


class LinkedServices(RecordedServices):
    """A proxy between the gateway and the scheduler."""

    def __init__(self, **options):
        super().__init__(scheduler=SCHEDULER, **options)
        # With a lease that is lost go the answers that were not synced under it, as many as there are lines at worst.
        self.history.in_flight = MOST_LINES

    def start_pair(self):
        self.scheduler = self.start_scheduler()
        self.proxy = FaultProxy(self.scheduler.address)
        self.gateway = self.start("backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", self.proxy.address)

    def stop(self):
        codes = super().stop()
        self.proxy.stop()
        return codes

    def found(self):
        """Broken promises, now that the link is good again."""
        self.proxy.heal()
        self.proxy.reset()
        return violations(self.collect(with_blobs=True))

    def status(self, method, path, **options):
        """One call without a second try; None: the connection to the gateway ended or the call timed out."""
        try:
            return self.http.request(method, self.url + path, **options).status_code
        except httpx.TransportError:
            return None


class Link(unittest.TestCase):
    def start(self, **options):
        services = LinkedServices(**options)
        self.addCleanup(services.stop)
        return services

    def check(self, services):
        self.assertEqual(services.found(), [])
        self.assertEqual(services.history.crashes, 0)
        self.assertTrue(services.gateway.runs)


class Resets(Link):
    def test_T19_I03_a_reset_at_any_byte_of_either_direction_loses_and_doubles_nothing(self):
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            runs = sum(pool.map(self.cut_everywhere, (TO_SERVER, TO_CLIENT)))
        print(f"{runs} resets")

    def cut_everywhere(self, direction):
        services = self.start()
        length = self.bytes_of_an_order(services, direction)
        cuts = list(range(0, length, STRIDE))
        for offset in cuts:
            services.proxy.cut(direction, after=offset)
            order, _, batch = services.order(["Hello"] * 2)
            ended = services.ended(order, batch)
            self.assertEqual(ended["request_counts"], {"total": 2, "completed": 2, "failed": 0})
            services.proxy.heal()
        failed = sum(not call.was_acked for call in services.history.calls)
        # Behind the last call of the first order there may be nothing to cut.
        self.assertGreater(failed, len(cuts) // 4, "the resets hit nothing")
        self.check(services)
        return len(cuts)

    def bytes_of_an_order(self, services, direction):
        """What an undisturbed order sends that way; polls for its end may repeat and are cut only once."""
        services.order(["Hello"])
        before = services.proxy.passed(direction)
        order, _, batch = services.order(["Hello"] * 2)
        services.get(order, batch)
        length = services.proxy.passed(direction) - before
        services.ended(order, batch)
        return length


class LostReplies(Link):
    def create(self, services, file, order, key=None):
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
                "metadata": {"order": str(order)}}
        return services.status("POST", "/v1/batches", json=body, headers={"idempotency-key": key} if key else {})

    def test_T20_I03_a_create_whose_reply_was_lost_gives_the_same_batch_for_the_same_key(self):
        services = self.start()
        services.order(["Hello"])
        number, file = self.uploaded(services)
        connections = services.proxy.accepted
        services.proxy.cut(TO_CLIENT)
        # With a key the gateway itself asks again, on a new connection (G6-09).
        self.assertEqual(self.create(services, file, number, f"order-{number}"), 200)
        self.assertGreater(services.proxy.accepted, connections, "the reply was not lost")
        stored = [b for b in services.pages("/v1/batches") if b["input_file_id"] == file]
        self.assertEqual(len(stored), 1)
        batch = services.create(number, file).body["id"]
        self.assertEqual(batch, stored[0]["id"])
        services.ended(number, batch)
        self.check(services)

    def test_T20_I03_without_a_key_the_batch_whose_reply_was_lost_can_be_seen_and_cancelled(self):
        services = self.start(engine=("--time-to-first-token", "1h"))
        number, file = self.uploaded(services)
        services.proxy.cut(TO_CLIENT)
        self.assertIn(self.create(services, file, number), range(500, 600))
        stored = [b["id"] for b in services.pages("/v1/batches")]
        self.assertEqual(len(stored), 1)
        services.cancel(number, stored[0])
        self.assertEqual(services.ended(number, stored[0])["status"], "cancelled")
        self.check(services)

    def uploaded(self, services):
        services.orders += 1
        number = services.orders
        services.history.orders[number] = ["a"]
        line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
                "body": {"model": "simulated-model", "messages": [{"role": "user", "content": "Hello"}]}}
        return number, services.upload(number, json.dumps(line) + "\n")

    def test_T20_a_cancel_and_a_delete_whose_replies_were_lost_may_be_repeated(self):
        services = self.start()
        order, file, batch = services.order(["Hello"] + ["[[fault:hang]]"] * 2)
        wait_for(lambda: services.get(order, batch)["request_counts"]["completed"] == 1, "the answer")
        services.proxy.cut(TO_CLIENT)
        services.cancel(order, batch)
        self.assertEqual(services.ended(order, batch)["status"], "cancelled")
        services.proxy.cut(TO_CLIENT)
        # The first call deleted it, which the second one says.
        self.assertEqual(services.status("DELETE", f"/v1/files/{file}") // 100, 5)
        self.assertEqual(services.status("DELETE", f"/v1/files/{file}"), 404)
        # Its bytes are deleted on purpose, which the history of acked calls cannot know.
        services.history.calls = [c for c in services.history.calls if c.operation != "upload"]
        self.check(services)


class WrongBytes(Link):
    CONTENT_BYTES = 700_000

    def test_a_wrong_byte_in_a_file_that_is_uploaded_is_noticed_and_not_stored(self):
        services = self.start()
        content = random.Random(1).randbytes(self.CONTENT_BYTES)
        for offset in range(5_000, self.CONTENT_BYTES, 99_991):
            services.proxy.corrupt(TO_SERVER, offset)
            answer = self.upload(services, content)
            # The link was bad, not the request.
            self.assertNotIn(answer.status_code, range(400, 500), f"byte {offset}: {answer.text}")
            if answer.status_code == 200:
                got = self.content(services, answer.json()["id"])
                # Not assertEqual, which would print both.
                self.assertTrue(got == content, f"byte {offset} is wrong in what was stored")
            services.proxy.heal()
        services.proxy.reset()
        self.assertEqual(self.upload(services, content).status_code, 200)
        self.check(services)

    def test_a_wrong_byte_in_a_file_that_is_downloaded_is_noticed(self):
        services = self.start()
        content = random.Random(2).randbytes(self.CONTENT_BYTES)
        file = self.upload(services, content).json()["id"]
        for offset in range(5_000, self.CONTENT_BYTES, 99_991):
            services.proxy.corrupt(TO_CLIENT, offset)
            try:
                got = self.content(services, file)
            except httpx.TransportError:
                got = None
            # Not assertIn, which would print all of it.
            self.assertTrue(got is None or got == content, f"byte {offset} is wrong in what was served")
            services.proxy.heal()
        self.check(services)

    def test_T21_wrong_bytes_in_frames_harm_the_call_and_no_other(self):
        services = self.start()
        content = b"Hello\n" * 20
        for direction in (TO_SERVER, TO_CLIENT):
            before = services.proxy.passed(direction)
            self.upload(services, content)
            length = services.proxy.passed(direction) - before
            for offset in range(0, length, 7):
                services.proxy.corrupt(direction, offset, bits=1 << offset % 8)
                try:
                    self.upload(services, content, timeout=3)
                except httpx.TransportError:
                    pass
                # A wrong length makes one side wait for bytes that never come; whoever calls next may run into it too.
                services.proxy.heal()
                services.proxy.reset()
                wait_for(lambda: services.status("GET", "/v1/files?limit=1") == 200, "the link to work again")
        self.assertEqual(services.history.crashes, 0)
        self.assertTrue(services.scheduler.runs)
        self.check(services)

    def upload(self, services, content, timeout=CALL_SECONDS + SLACK_SECONDS):
        return services.http.post(services.url + "/v1/files", data={"purpose": "user_data"},
                                  files={"file": ("data.bin", content)}, timeout=timeout)

    def content(self, services, file):
        return services.http.get(f"{services.url}/v1/files/{file}/content").content


class SlowLink(Link):
    def test_T22_a_link_that_brings_one_byte_at_a_time_is_only_slow(self):
        services = self.start()
        for direction in (TO_SERVER, TO_CLIENT):
            services.proxy.slow(direction, piece=1, pause=0.001)
        order, _, batch = services.order(["Hello"] * 3)
        self.assertEqual(services.ended(order, batch)["request_counts"]["completed"], 3)
        self.check(services)

    def test_small_calls_do_not_wait_for_a_file_on_a_slow_link(self):
        services = self.start()
        content = random.Random(3).randbytes(2 << 20)
        services.proxy.slow(TO_SERVER, piece=8_192, pause=0.02)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            upload = pool.submit(services.http.post, services.url + "/v1/files", data={"purpose": "user_data"},
                                 files={"file": ("data.bin", content)}, timeout=60)
            calls = 0
            while not upload.done():
                calls += services.status("GET", "/v1/batches") == 200
        self.assertEqual(upload.result().status_code, 200)
        # The file takes 5 s.
        self.assertGreater(calls, 10)
        got = services.http.get(f"{services.url}/v1/files/{upload.result().json()['id']}/content").content
        self.assertTrue(got == content)
        self.check(services)


class LostLeases(Link):
    def test_T28_I07_a_scheduler_that_stood_still_until_its_lease_ended_runs_a_line_once_more_at_most(self):
        services = self.start(engine=("--time-to-first-token", "100ms"))
        order, _, batch = services.order(["Hello"] * MOST_LINES)
        wait_for(lambda: len(list(executions(services.witness))) >= MOST_LINES // 4, "some lines")
        services.scheduler.pause()
        wait_for(lambda: self.lease_has_ended(services), "the end of the lease")
        services.scheduler.go_on()
        self.assertEqual(services.ended(order, batch)["request_counts"]["completed"], MOST_LINES)
        self.check(services)
        self.assertGreater(services.history.lost_leases, 0)
        times = collections.Counter(line for _, line, _ in executions(services.witness))
        self.assertLessEqual(max(times.values()), 1 + services.history.lost_leases)

    def lease_has_ended(self, services):
        """By the clock that leases are kept by."""
        with contextlib.closing(sqlite3.connect(services.path / "data" / "backfill.sqlite")) as database:
            [ends_at] = database.execute("SELECT max(ends_at) FROM lease").fetchone()
        return time.clock_gettime(time.CLOCK_BOOTTIME) * 1_000 > ends_at


class Partitions(Link):
    """T-24. The waits are the product's time-outs, so that all of them run at the same time."""

    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(4)
        cls.runs = {name: cls.pool.submit(cls.partition, fault) for name, fault in {
            "both ways": lambda proxy: proxy.lose_packets(TO_SERVER, TO_CLIENT),
            "requests": lambda proxy: proxy.lose_packets(TO_SERVER),
            "replies": lambda proxy: proxy.lose_packets(TO_CLIENT),
            "half-open": lambda proxy: proxy.swallow(TO_SERVER, TO_CLIENT),
        }.items()}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()

    @staticmethod
    def partition(fault):
        """A batch runs, the link goes and comes back. Gives what was seen."""
        services = LinkedServices(engine=("--time-to-first-token", "100ms"))
        services.http.timeout = CALL_SECONDS + SLACK_SECONDS
        try:
            order, _, batch = services.order(["Hello"] * MOST_LINES)
            fault(services.proxy)
            began = time.monotonic()
            during = [services.status("GET", f"/v1/batches/{batch}")]
            failed_after = time.monotonic() - began
            # Longer than any call may take.
            while time.monotonic() - began < CALL_SECONDS + 1:
                during.append(services.status("GET", f"/v1/batches/{batch}"))
            services.proxy.heal()
            began = time.monotonic()
            after = []
            while 200 not in after and time.monotonic() - began < CALL_SECONDS + SLACK_SECONDS:
                after.append(services.status("GET", f"/v1/batches/{batch}"))
                time.sleep(0.1)
            recovered_after = time.monotonic() - began
            found = None
            if 200 in after:
                completed = services.ended(order, batch)["request_counts"]["completed"]
                found = violations(services.collect(with_blobs=True)) + [completed]
            return during, failed_after, after, recovered_after, found, services.history.crashes
        finally:
            services.stop()

    def check_partition(self, name):
        during, failed_after, after, recovered_after, found, crashes = self.runs[name].result()
        # Every call was answered by the gateway, as a failure of the service's.
        self.assertTrue(all(status in (502, 503, 504) for status in during), during)
        self.assertLess(failed_after, CALL_SECONDS + SLACK_SECONDS)
        self.assertIn(200, after, f"no answer within {recovered_after:.0f} s after the link came back")
        self.assertLess(recovered_after, 2 * SLACK_SECONDS)
        self.assertEqual((found, crashes), ([MOST_LINES], 0))

    def test_T24_a_partition_is_told_and_forgotten(self):
        self.check_partition("both ways")

    def test_T24_lost_requests_are_told_and_forgotten(self):
        self.check_partition("requests")

    def test_T24_lost_replies_are_told_and_forgotten(self):
        self.check_partition("replies")

    def test_T24_a_half_open_connection_is_given_up(self):
        """Its bytes are acknowledged and go nowhere, so that only the missing answers tell."""
        self.check_partition("half-open")


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
