"""What batches can do beyond OpenAI's contract: pause, retry, delete, inline requests, early results; ranges of files."""

import json
import sqlite3
import unittest

import openai

from recorded import executions
from sdk_test import MODEL, TERMINAL, Case, jsonl, request
from services import wait_for


class Extras(Case):
    def post(self, path, **body):
        return self.raw("POST", f"/v1/batches{path}", **({"json": body} if body else {}))

    def results(self, batch_id):
        """The results so far, and whether more may come."""
        answer = self.raw("GET", f"/v1/batches/{batch_id}/results")
        self.assertEqual(answer.status_code, 200, answer.text)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return lines, {"true": True, "false": False}[answer.headers["x-backfill-incomplete"]]

    def ran(self, batch_id):
        """Lines of a batch that reached the engine, in order of their start."""
        return [line for batch, line, _ in executions(self.services.witness) if batch == batch_id]

    def assert_error(self, answer, status, code):
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (status, code), answer.text)


class SlowBatches(Extras):
    """On an engine whose answers take a while, few at a time."""

    engine_arguments = ("--time-to-first-token", "50ms")
    scheduler_arguments = ("--engine-concurrency", "4")

    def start(self, lines):
        batch = self.create(self.upload(jsonl(request(f"line-{n}") for n in range(lines))).id)
        wait_for(lambda: self.client.batches.retrieve(batch.id).request_counts.completed > 0, "the first answers")
        return batch.id

    def settled(self, batch_id):
        """Waits until two looks, with time for an answer between them, find the same; gives the lines that ran."""
        seen = []

        def same():
            seen.append(len(self.results(batch_id)[0]))
            return len(seen) > 25 and seen[-1] == seen[-25]

        wait_for(same, "the end of what is at the engine")
        return self.ran(batch_id)

    def test_a_paused_batch_sends_nothing_until_it_is_resumed(self):
        batch_id = self.start(2_000)
        paused = self.post(f"/{batch_id}/pause").json()
        self.assertEqual(paused["status"], "in_progress")
        self.assertGreaterEqual(paused["backfill"]["paused_at"], paused["created_at"])
        before = self.settled(batch_id)
        self.assertLess(len(before), 2_000)
        # Other batches go on meanwhile.
        self.assertEqual(self.run_batch(jsonl([request("other")])).status, "completed")
        self.assertEqual(self.ran(batch_id), before)
        again = self.post(f"/{batch_id}/pause").json()
        self.assertEqual(again["backfill"]["paused_at"], paused["backfill"]["paused_at"])
        # What is done is there, each line once.
        early, incomplete = self.results(batch_id)
        self.assertTrue(incomplete)
        self.assertEqual(sorted(line["custom_id"] for line in early), sorted(f"line-{n}" for n in before))
        # Also after a restart.
        self.services.scheduler.kill()
        self.services.scheduler = self.services.start_scheduler(listen=self.services.scheduler.address)
        wait_for(lambda: self.raw("GET", "/readyz").status_code == 200, "the scheduler")
        wait_for(lambda: self.raw("GET", f"/v1/batches/{batch_id}/results").status_code == 200, "the batch")
        self.assertEqual(self.run_batch(jsonl([request("other")])).status, "completed")
        self.assertEqual(self.ran(batch_id), before)
        resumed = self.post(f"/{batch_id}/resume").json()
        self.assertIsNone(resumed["backfill"]["paused_at"])
        wait_for(lambda: len(self.ran(batch_id)) > len(before), "more lines")
        self.client.batches.cancel(batch_id)
        self.assertEqual(self.wait(batch_id).status, "cancelled")

    def test_a_paused_batch_can_be_cancelled(self):
        batch_id = self.start(500)
        self.post(f"/{batch_id}/pause")
        self.client.batches.cancel(batch_id)
        ended = self.wait(batch_id)
        self.assertEqual((ended.status, ended.request_counts.total), ("cancelled", 500))
        self.assert_error(self.post(f"/{batch_id}/pause"), 400, "batch_not_pausable")
        self.assert_error(self.post(f"/{batch_id}/resume"), 400, "batch_not_resumable")

    def test_a_background_batch_takes_what_others_leave(self):
        background = self.create(self.upload(jsonl(request(f"b-{n}") for n in range(400))).id,
                                 completion_window="background")
        wait_for(lambda: len(self.ran(background.id)) > 8, "the background batch")
        self.assertEqual(background.expires_at - background.created_at, 30 * 86_400)
        other = self.run_batch(jsonl(request(f"line-{n}") for n in range(100)))
        starts = {other.id: [], background.id: []}
        for batch, _, start in executions(self.services.witness):
            starts.get(batch, []).append(start)
        between = [s for s in starts[background.id] if min(starts[other.id]) < s < max(starts[other.id])]
        # Those that were on their way when the other batch began.
        self.assertLessEqual(len(between), 4)
        self.client.batches.cancel(background.id)
        self.wait(background.id)

    def test_progress_is_told_while_a_batch_runs(self):
        batch_id = self.start(400)

        def look():
            batch = self.raw("GET", f"/v1/batches/{batch_id}").json()
            return batch if batch["backfill"]["estimated_completion_at"] else None

        batch = wait_for(look, "an estimate")
        counts = batch["request_counts"]
        share = (counts["completed"] + counts["failed"]) * 100 / counts["total"]
        self.assertAlmostEqual(batch["backfill"]["progress_percent"], share, delta=0.1)
        self.assertLess(batch["backfill"]["estimated_completion_at"], batch["expires_at"])
        self.assert_error(self.raw("DELETE", f"/v1/batches/{batch_id}"), 400, "batch_not_deletable")
        self.assert_error(self.post(f"/{batch_id}/retry"), 400, "batch_not_retryable")
        self.assertEqual(self.wait(batch_id).status, "completed")
        ended = self.raw("GET", f"/v1/batches/{batch_id}").json()
        self.assertEqual(ended["backfill"]["progress_percent"], 100)

    def test_early_results_are_lines_of_the_output_and_stay(self):
        batch_id = self.start(600)
        seen = {}
        while True:
            lines, incomplete = self.results(batch_id)
            for line in lines:
                self.assertEqual(seen.setdefault(line["custom_id"], line), line)
            self.assertEqual(len({line["custom_id"] for line in lines}), len(lines))
            if not incomplete:
                break
        self.assertEqual(len(lines), 600)
        output = {line["custom_id"]: line for line in self.lines(self.client.batches.retrieve(batch_id).output_file_id)}
        self.assertEqual(seen, output)


class EndedBatches(Extras):
    FAILS = "[[fault:status;code=400]]"

    def mixed(self, **more):
        """A batch of nine lines, the even ones of which fail."""
        content = jsonl(request(f"ü-{n}", self.FAILS if n % 2 == 0 else "Hello") for n in range(9))
        file = self.upload(content)
        return file, self.wait(self.create(file.id, **more).id)

    def test_the_failed_lines_are_retried_as_a_new_batch(self):
        _, first = self.mixed(metadata={"of": "mine"})
        self.assertEqual((first.request_counts.completed, first.request_counts.failed), (4, 5))
        key = {"idempotency-key": f"retry-{first.id}"}
        again = self.raw("POST", f"/v1/batches/{first.id}/retry", headers=key).json()
        same = self.raw("POST", f"/v1/batches/{first.id}/retry", headers=key).json()
        self.assertEqual(again["id"], same["id"])
        self.assertEqual((again["backfill"]["retry_of"], again["metadata"]), (first.id, {"of": "mine"}))
        ended = self.wait(again["id"])
        self.assertEqual((ended.status, ended.request_counts.total), ("completed", 5))
        self.assertEqual([line["custom_id"] for line in self.lines(ended.error_file_id)],
                         [f"ü-{n}" for n in range(0, 9, 2)])
        # What it reads is a file like others, with the lines as they were.
        content = self.client.files.content(ended.input_file_id).read()
        self.assertEqual(content, jsonl(request(f"ü-{n}", self.FAILS) for n in range(0, 9, 2)))

    def test_a_retry_needs_its_files_and_something_that_failed(self):
        file, first = self.mixed()
        self.client.files.delete(file.id)
        self.assert_error(self.post(f"/{first.id}/retry"), 404, "file_not_found")
        fine = self.run_batch(jsonl([request("a")]))
        self.assert_error(self.post(f"/{fine.id}/retry"), 400, "nothing_to_retry")
        self.assert_error(self.post(f"/{fine.id}/retry", window="1h"), 400, "unknown_parameter")

    def test_results_of_an_ended_batch_are_both_of_its_files(self):
        _, batch = self.mixed()
        lines, incomplete = self.results(batch.id)
        self.assertFalse(incomplete)
        self.assertEqual(lines, self.lines(batch.output_file_id) + self.lines(batch.error_file_id))
        self.assertEqual(len(lines), 9)

    def test_a_batch_that_failed_its_validation_has_no_results(self):
        batch = self.run_batch(b"{\n")
        self.assertEqual((batch.status, self.results(batch.id)), ("failed", ([], False)))

    def test_A2_10_the_key_of_a_deleted_batch_makes_no_other(self):
        headers = {"Idempotency-Key": "deleted"}
        file = self.upload(jsonl([request("a")]))
        batch = self.wait(self.create(file.id, extra_headers=headers).id)
        self.raw("DELETE", f"/v1/batches/{batch.id}")
        with self.assertRaises(openai.NotFoundError) as caught:
            self.create(file.id, extra_headers=headers)
        self.assertEqual((caught.exception.code, caught.exception.param), ("batch_not_found", "Idempotency-Key"))
        self.assertIn(batch.id, caught.exception.message)

    def test_a_deleted_batch_is_gone_and_its_files_stay(self):
        _, batch = self.mixed()
        deleted = self.raw("DELETE", f"/v1/batches/{batch.id}").json()
        self.assertEqual(deleted, {"id": batch.id, "object": "batch", "deleted": True})
        with self.assertRaises(openai.NotFoundError):
            self.client.batches.retrieve(batch.id)
        self.assertNotIn(batch.id, [b.id for b in self.client.batches.list()])
        self.assertEqual(len(self.lines(batch.output_file_id)), 4)
        self.assertEqual(self.raw("DELETE", f"/v1/batches/{batch.id}").status_code, 404)

    def test_inline_requests_need_no_file(self):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "seed": 2**53 + 1}
        more = {"extra_body": {"requests": [{"custom_id": "a", "body": body}, {"body": body}]}}
        batch = self.client.batches.create(
            input_file_id=None, endpoint="/v1/chat/completions", completion_window="1h",
            extra_headers={"idempotency-key": "inline"}, **more,
        )
        same = self.client.batches.create(
            input_file_id=None, endpoint="/v1/chat/completions", completion_window="1h",
            extra_headers={"idempotency-key": "inline"}, **more,
        )
        self.assertEqual(batch.id, same.id)
        ended = self.wait(batch.id)
        self.assertEqual([line["custom_id"] for line in self.lines(ended.output_file_id)], ["a", "request-2"])
        lines = self.client.files.content(ended.input_file_id).read().decode().splitlines()
        self.assertIn(str(2**53 + 1), lines[0])
        self.assertEqual(self.client.files.retrieve(ended.input_file_id).purpose, "batch")

    def test_inline_requests_are_validated_like_a_file(self):
        answer = self.post("", endpoint="/v1/chat/completions", completion_window="1h",
                           requests=[{"custom_id": "a", "body": {"model": MODEL}}, {"custom_id": "a", "body": {}}])
        batch = self.wait(answer.json()["id"])
        self.assertEqual(batch.status, "failed")
        self.assertEqual([error.line for error in batch.errors.data], [2])


class NeverValidated(Extras):
    """Batches that were cancelled before their validation: nobody serves their model, and two schedulers wait for the other
    one to do it."""

    LATER = "a-later-model"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.services.start_scheduler()
        wait_for(lambda: cls.leases() == 2, "both schedulers")

    @classmethod
    def leases(cls):
        with sqlite3.connect(cls.services.path / "data" / "backfill.sqlite") as database:
            return database.execute("SELECT count(*) FROM lease").fetchone()[0]

    def cancelled(self, content):
        file = self.upload(content)
        batch = self.create(file.id, metadata={"of": "mine"})
        self.assertEqual(self.client.batches.retrieve(batch.id).status, "validating")
        self.client.batches.cancel(batch.id)
        ended = self.wait(batch.id)
        self.assertEqual((ended.status, ended.request_counts.total, ended.in_progress_at), ("cancelled", 0, None))
        return file, ended

    def content(self, lines, model):
        return jsonl({**(line := request(f"line-{n}")), "body": {**line["body"], "model": model}}
                     for n in range(lines))

    def test_all_lines_of_a_batch_that_was_cancelled_before_its_validation_are_retried(self):
        file, batch = self.cancelled(self.content(7, self.LATER))
        engine = self.services.start("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--model", self.LATER)
        self.services.scheduler.kill()
        self.services.scheduler_arguments = ("--engine", f"http://{engine.address}")
        self.services.scheduler = self.services.start_scheduler(listen=self.services.scheduler.address)
        wait_for(lambda: self.raw("GET", "/readyz").status_code == 200, "the scheduler")
        key = {"idempotency-key": "once"}
        again = self.raw("POST", f"/v1/batches/{batch.id}/retry", headers=key).json()
        self.assertEqual(self.raw("POST", f"/v1/batches/{batch.id}/retry", headers=key).json()["id"], again["id"])
        self.assertEqual((again["backfill"]["retry_of"], again["input_file_id"], again["metadata"]),
                         (batch.id, file.id, {"of": "mine"}))
        ended = self.wait(again["id"])
        self.assertEqual((ended.status, ended.request_counts.completed), ("completed", 7))
        self.assertEqual([line["custom_id"] for line in self.lines(ended.output_file_id)],
                         [f"line-{n}" for n in range(7)])
        # It needs its file as others do.
        self.client.files.delete(file.id)
        self.assert_error(self.post(f"/{batch.id}/retry"), 404, "file_not_found")

    def test_an_input_that_was_never_valid_is_not_retried(self):
        failed = self.run_batch(b"{\n")
        self.assertEqual(failed.status, "failed")
        self.assert_error(self.post(f"/{failed.id}/retry"), 400, "invalid_input_file")
        _, cancelled = self.cancelled(self.content(3, "another-model") + b"{\n")
        refused = self.post(f"/{cancelled.id}/retry")
        self.assert_error(refused, 400, "invalid_input_file")
        self.assertEqual(refused.json()["error"]["param"], "input_file_id")


class AIBrix(Extras):
    """The extension of AIBrix's clients, sent as they send it."""

    def test_names_are_kept_and_shown_in_either_shape(self):
        file = self.upload(jsonl([request("a")]))
        for aibrix in ({"job_id": "job-1", "runtime": {"target": "External"}, "resource_allocation": {"provision_id": "p"}},
                       {"job_id": "job-1", "model": "m", "planner_decision": {"provision_id": "p"}}):
            batch = self.create(file.id, extra_body={"aibrix": aibrix})
            self.assertEqual(batch.aibrix, aibrix)
            self.assertEqual(self.wait(batch.id).aibrix, aibrix)
        self.assertFalse(hasattr(self.create(file.id), "aibrix"))

    def test_what_would_need_engines_to_be_started_is_refused(self):
        file = self.upload(jsonl([request("a")]))
        aibrix = {"model_template": {"name": "qwen", "version": "v1"}}
        with self.assertRaises(openai.BadRequestError) as refused:
            self.create(file.id, extra_body={"aibrix": aibrix})
        self.assertEqual((refused.exception.code, refused.exception.param), ("not_supported_yet", "aibrix.model_template"))


class FileRanges(Case):
    def test_A7_08_parts_of_a_file(self):
        content = bytes(range(256)) * 4_096
        file = self.client.files.create(file=("a.bin", content), purpose="user_data")
        path = f"/v1/files/{file.id}/content"
        whole = self.raw("GET", path)
        tag = whole.headers["etag"]
        self.assertEqual((whole.content, whole.headers["accept-ranges"]), (content, "bytes"))
        for text, start, end in (("0-0", 0, 1), ("300000-700000", 300_000, 700_001), ("-5", len(content) - 5, None),
                                 ("1048000-", 1_048_000, None)):
            part = self.raw("GET", path, headers={"range": f"bytes={text}", "if-range": tag})
            end = len(content) if end is None else end
            self.assertEqual((part.status_code, part.content), (206, content[start:end]))
            self.assertEqual(part.headers["content-range"], f"bytes {start}-{end - 1}/{len(content)}")
            self.assertEqual(part.headers["content-length"], str(end - start))
        beyond = self.raw("GET", path, headers={"range": f"bytes={len(content)}-"})
        self.assertEqual((beyond.status_code, beyond.headers["content-range"]), (416, f"bytes */{len(content)}"))
        self.assertEqual(beyond.json()["error"]["code"], "range_not_satisfiable")
        other = self.raw("GET", path, headers={"range": "bytes=0-0", "if-range": '"other"'})
        self.assertEqual((other.status_code, other.content), (200, content))
        known = self.raw("GET", path, headers={"if-none-match": tag})
        self.assertEqual((known.status_code, known.content, known.headers["etag"]), (304, b"", tag))


if __name__ == "__main__":
    unittest.main()
