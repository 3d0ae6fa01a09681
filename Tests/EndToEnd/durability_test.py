"""Nothing lost: real processes that are killed, paused and doubled. Item ids name promises and faults."""

import collections
import contextlib
import json
import sqlite3
import sys
import time
import unittest

import httpx
import openai
from openai import OpenAI

from sdk_test import TERMINAL, jsonl, request
from services import Services, wait_for

SLOW = ("--time-to-first-token", "50ms", "--slots", "32")


class Durability(unittest.TestCase):
    """Each test has services of its own; one scheduler, one gateway and a slow engine to begin with."""

    scheduler_arguments = ("--engine-concurrency", 32, "--lease", "2s")

    def setUp(self):
        self.services = Services(engine=SLOW, scheduler=self.scheduler_arguments)
        self.addCleanup(self.services.stop)
        self.connect(self.services.gateway)

    def connect(self, gateway):
        self.client = OpenAI(base_url=f"http://{gateway.address}/v1", api_key="none", max_retries=4)

    def start_batch(self, lines, **more):
        file = self.client.files.create(file=("a.jsonl", jsonl(request(f"n{n}") for n in range(lines))), purpose="batch")
        return self.client.batches.create(
            **{"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **more}
        )

    def completed(self, batch):
        return self.client.batches.retrieve(batch.id).request_counts.completed

    def wait(self, batch):
        return wait_for(lambda: (b := self.client.batches.retrieve(batch.id)).status in TERMINAL and b, "the end")

    def lines(self, *file_ids):
        found = []
        for file_id in filter(None, file_ids):
            text = self.client.files.content(file_id).read().decode()
            found += [json.loads(line)["custom_id"] for line in text.splitlines()]
        return found

    def check_whole(self, ended, lines):
        """Every line exactly once, in order."""
        self.assertEqual((ended.status, ended.request_counts.completed), ("completed", lines), ended)
        self.assertEqual(self.lines(ended.output_file_id), [f"n{n}" for n in range(lines)])

    def executions(self):
        return len(self.services.witness.read_text().splitlines())


class TwoSchedulers(Durability):
    def setUp(self):
        super().setUp()
        self.second = self.services.start_scheduler()
        self.connect(self.services.start_gateway(self.services.scheduler, self.second))

    def lease_of(self, batch):
        """The lease under which the batch is claimed; None while nobody has it."""
        with contextlib.closing(sqlite3.connect(self.services.path / "data" / "backfill.sqlite")) as database:
            query = "SELECT owner FROM claim WHERE key = ?"
            return (database.execute(query, (f"batch/{batch.id}",)).fetchone() or (None,))[0]

    def owner_and_other(self, batch):
        """The scheduler that has claimed the batch, which has its instance's lock open, and the other one."""
        owner = wait_for(lambda: self.lease_of(batch), "the claim")
        lock = str(self.services.path / "data" / "instances" / owner.split(".")[0])
        pair = [self.services.scheduler, self.second]
        pair.sort(key=lambda scheduler: lock not in scheduler.open_files())
        assert lock in pair[0].open_files(), (lock, pair[0].open_files())
        return pair

    def test_T29_either_runs_a_batch_and_both_answer_for_it(self):
        batches = [self.start_batch(60) for _ in range(4)]
        for gateway in (self.services.start_gateway(self.services.scheduler), self.services.start_gateway(self.second)):
            self.connect(gateway)
            self.assertEqual({b.id for b in self.client.batches.list()}, {b.id for b in batches})
            for batch in batches:
                self.check_whole(self.wait(batch), 60)
        self.assertEqual(self.executions(), 240)

    def test_I07_a_killed_scheduler_is_replaced_at_once(self):
        batch = self.start_batch(600)
        wait_for(lambda: self.completed(batch) > 100, "some answers")
        owner, _ = self.owner_and_other(batch)
        owner.kill()
        ended = self.wait(batch)
        self.check_whole(ended, 600)
        self.assertLessEqual(self.executions(), 600 + 2 * 32)

    def test_T28_I08_a_paused_owner_is_replaced_and_does_no_harm_when_it_goes_on(self):
        batch = self.start_batch(1_500)
        wait_for(lambda: self.completed(batch) > 100, "some answers")
        owner, other = self.owner_and_other(batch)
        owner.pause()
        self.connect(self.services.start_gateway(other))
        lease, before = self.lease_of(batch), self.completed(batch)
        # No lock tells that a paused one does nothing: its claim is free when its lease has ended.
        wait_for(lambda: self.lease_of(batch) not in (lease, None), "the other scheduler's claim", 10)
        wait_for(lambda: self.completed(batch) > before, "the other scheduler's progress")
        owner.go_on()
        self.check_whole(self.wait(batch), 1_500)
        self.assertLessEqual(self.executions(), 1_500 + 2 * 32)
        # Both are fine afterwards.
        self.connect(self.services.start_gateway(owner))
        self.check_whole(self.wait(self.start_batch(10)), 10)

    def test_A4_02_a_cancel_at_the_other_scheduler_reaches_the_owner(self):
        batch = self.start_batch(3_000)
        wait_for(lambda: self.completed(batch) > 10, "some answers")
        self.connect(self.services.start_gateway(self.owner_and_other(batch)[1]))
        self.assertEqual(self.client.batches.cancel(batch.id).status, "cancelling")
        began = time.monotonic()
        ended = self.wait(batch)
        self.assertLess(time.monotonic() - began, 8)
        self.assertLess(ended.request_counts.completed, 3_000)
        self.assertEqual(ended.status, "cancelled")
        self.assertEqual(sorted(self.lines(ended.output_file_id, ended.error_file_id)), sorted(f"n{n}" for n in range(3_000)))


class Housekeeping(Durability):
    scheduler_arguments = ("--engine-concurrency", 32, "--lease", "2s", "--sweep-interval", "1s")

    def blobs(self):
        return {p.name.split(".")[0] for p in (self.services.path / "data" / "blobs").glob("*/*")}

    def test_I12_after_a_sweep_there_is_what_is_referenced_and_nothing_else(self):
        batch = self.start_batch(200)
        self.client.files.delete(batch.input_file_id)
        orphan = self.services.path / "data" / "blobs" / "0f"
        orphan.mkdir(exist_ok=True)
        (orphan / ("file-" + 31 * "0" + "f")).write_text("left by a crash")
        (self.services.path / "data" / "jobs" / ("batch_" + 32 * "0")).mkdir(parents=True)
        staged = self.services.path / "data" / "staging" / "scheduler-0000000000000000"
        staged.mkdir(parents=True)
        (staged / "upload_1").write_text("left by a crash")
        # The input outlives its file until the batch has ended.
        self.check_whole(self.wait(batch), 200)
        kept = {f.id for f in self.client.files.list()}
        wait_for(lambda: self.blobs() == kept, f"the sweep: {self.blobs()} instead of {kept}")
        wait_for(lambda: not list((self.services.path / "data" / "jobs").iterdir()), "the sweep of job files")
        wait_for(lambda: not staged.exists(), "the sweep of staging")
        self.assertEqual(len(self.lines(self.client.batches.retrieve(batch.id).output_file_id)), 200)


class Uploads(Durability):
    def test_T33_a_file_whose_scheduler_dies_while_it_is_sent_can_be_sent_again(self):
        """The client began nothing that it could name, so it is told to send the file again, not that it is gone."""
        boundary = "a-boundary"
        head = (f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n')
        line = jsonl([request("a")])

        def body():
            yield head.encode()
            yield line * (1_000_000 // len(line))
            staging = self.services.path / "data" / "staging"
            wait_for(lambda: [p for p in staging.glob("*/upload_*") if p.stat().st_size > 0], "staged bytes")
            self.services.scheduler.kill()
            self.services.scheduler = self.services.start_scheduler(listen=self.services.scheduler.address)
            yield line * (1_000_000 // len(line))
            yield f"\r\n--{boundary}--\r\n".encode()

        answer = httpx.post(
            f"{self.services.url}/v1/files", content=body(), timeout=60,
            headers={"content-type": f"multipart/form-data; boundary={boundary}"})
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (503, "upload_interrupted"), answer.text)
        self.assertEqual(answer.headers["retry-after"], "1")
        self.assertEqual(self.start_batch(1).object, "batch")


class Idempotency(Durability):
    def test_T31_a_hundred_creates_with_one_key_are_one_batch(self):
        from concurrent.futures import ThreadPoolExecutor

        file = self.client.files.create(file=("a.jsonl", jsonl([request("a")])), purpose="batch")

        def create(_):
            return self.client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                extra_headers={"Idempotency-Key": "the-key"},
            ).id

        with ThreadPoolExecutor(20) as pool:
            ids = collections.Counter(pool.map(create, range(100)))
        self.assertEqual(len(ids), 1)
        self.assertEqual([b.id for b in self.client.batches.list()], list(ids))


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    print(f"{result.testsRun - len(result.failures) - len(result.errors)} passed, "
          f"{len(result.failures) + len(result.errors)} failed")
    sys.exit(not result.wasSuccessful())
