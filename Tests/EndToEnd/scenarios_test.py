"""Scenarios of other batch systems (Tests/ratchet.txt, S1 to S48 and R1 to R22) that no other module tells."""

import concurrent.futures
import http.server
import json
import pathlib
import resource
import socket
import subprocess
import sys
import threading
import time
import unittest

from scenario import CONCURRENCY, Scenario
from services import wait_for


TABLES_OF_VERSION_1 = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE record (
        kind TEXT NOT NULL, id TEXT NOT NULL, tenant TEXT NOT NULL, label TEXT NOT NULL, version INTEGER NOT NULL,
        payload BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
    CREATE INDEX record_by_tenant ON record (kind, tenant, id);
    CREATE INDEX record_by_label ON record (kind, label, id);
    CREATE TABLE remembered_answer (
        scope TEXT NOT NULL, key TEXT NOT NULL, request_hash BLOB NOT NULL, answer TEXT NOT NULL,
        created_at INTEGER NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID;
    PRAGMA user_version = 1;
"""


class Life(Scenario):
    def test_R1_a_batch_of_two_has_all_its_times_and_counts(self):
        order, _, batch = self.services.order(["Hello"] * 2)
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]), ("completed", {"total": 2, "completed": 2, "failed": 0}))
        times = [ended[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at")]
        self.assertNotIn(None, times)
        self.assertEqual(times, sorted(times))
        self.assertEqual([ended[name] for name in ("failed_at", "expired_at", "cancelling_at", "cancelled_at")], [None] * 4)
        self.assertIsNotNone(ended["output_file_id"])
        self.assertIsNone(ended["error_file_id"])
        self.check_promises()

    def test_S5_a_file_that_comes_slowly_holds_up_no_batch(self):
        """Validation happens while the file comes in: one that stands still half way is nobody else's business."""
        host, port = self.services.gateway.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            line = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {
                "model": "simulated-model", "messages": [{"role": "user", "content": "x" * 100_000}]}})
            slow.sendall((
                "POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=x\r\n"
                "content-length: 9000000\r\n\r\n"
                '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
                '--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
                f"{line}\n{line}\n{line[:50_000]}").encode())
            order, _, batch = self.services.order(["Hello"] * 5)
            self.assertEqual(self.end(order, batch)["status"], "completed")
        self.check_promises()

    def test_S32_a_request_that_outlasts_the_lease_runs_once(self):
        """The lease is renewed while requests run: their time has nothing to do with it."""
        engine = self.services.start("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--witness",
                                     self.services.witness, "--time-to-first-token", "6s")
        self.services.engine_address = engine.address
        self.restart()
        order, _, batch = self.services.order(["Hello"] * 3)
        self.assertEqual(self.end(order, batch)["request_counts"]["completed"], 3)
        self.assertEqual(self.executions(), 3)
        self.check_promises()

    def test_S39_S47_what_clients_send_is_not_in_the_log_and_the_log_does_not_grow_with_the_lines(self):
        secret = "a-prompt-that-nobody-else-may-read"
        self.services.scheduler_arguments = (*self.scheduler, "--log-level", "debug")
        self.restart()
        faults = ("status;code=422", "garbage", "status_then_ok;times=1", "reset_body", "empty")
        prompts = [f"{secret} [[fault:{fault}]] {n}" for n in range(20) for fault in faults]
        order, _, batch = self.services.order(prompts + [secret] * 300)
        self.assertEqual(self.end(order, batch)["request_counts"]["total"], 400)
        for log in self.services.path.glob("*.log"):
            text = log.read_text()
            self.assertNotIn(secret, text, log.name)
            self.assertLess(text.count("\n"), 100, log.name)


class Engines(Scenario):
    engine = ("--time-to-first-token", "100ms", "--slots", "64")

    def test_R5_an_engine_that_dies_after_some_answers_is_waited_for(self):
        order, _, batch = self.services.order(["Hello"] * 60)
        wait_for(lambda: self.counts(order, batch)["completed"] >= 3, "three answers")
        engine = self.services.engine
        engine.kill()
        wait_for(lambda: self.services.get(order, batch).get("backfill", {}).get("waiting_reason"), "the reason")
        self.services.start("backfill-engine-simulator", "--listen", engine.address, "--witness", self.services.witness)
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]), ("completed", {"total": 60, "completed": 60, "failed": 0}))
        self.check_promises()

    def test_S36_one_engine_gets_as_many_requests_at_once_as_it_may_have(self):
        order, _, batch = self.services.order(["Hello"] * 64)
        self.end(order, batch)
        ran = [json.loads(line) for line in self.services.witness.read_text().splitlines()]
        most = max(sum(a["start"] <= b["start"] < a["end"] for a in ran) for b in ran)
        self.assertEqual(most, CONCURRENCY)
        self.check_promises()

    def test_S37_an_engine_that_closes_idle_connections_costs_no_line(self):
        """It closes without a word right after each answer, which the client may see only at its next request."""
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer({"object": "list", "data": [{"id": "simulated-model", "object": "model"}]})

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.answer({"object": "chat.completion"})

            def answer(self, body):
                body = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.services.engine_address = f"127.0.0.1:{server.server_port}"
        self.restart()
        order, _, batch = self.services.order(["Hello"] * 300)
        self.assertEqual(self.end(order, batch)["request_counts"], {"total": 300, "completed": 300, "failed": 0})


class Restarts(Scenario):
    def test_S14_unfinished_batches_are_found_among_many_that_ended_and_over_pages(self):
        order, file = self.upload(["Hello"])
        create = lambda: self.services.create(self.next_order(order), file).body["id"]
        ended = [create() for _ in range(120)]
        wait_for(lambda: all(b["status"] == "completed" for b in self.stored()), "their end")
        self.services.engine.kill()
        # More than a page of them, and more than run at the same time.
        unfinished = [create() for _ in range(140)]
        self.services.scheduler.kill()
        self.services.start("backfill-engine-simulator", "--listen", self.services.engine.address)
        self.services.restart_at()
        wait_for(lambda: all(b["status"] == "completed" for b in self.stored()), "the end of all")
        self.assertEqual({b["id"] for b in self.stored()}, set(ended + unfinished))

    def next_order(self, of):
        """A further order of the same lines: each has an idempotency key of its own."""
        self.services.orders += 1
        self.services.history.orders[self.services.orders] = self.services.history.orders[of]
        return self.services.orders

    def test_S15_an_older_database_is_migrated_before_its_batches_go_on(self):
        order, _, batch = self.services.order(["Hello"] * 3 + ["[[fault:hang]]"])
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "three answers")
        self.services.scheduler.kill()
        self.make_version_1()
        self.services.restart_at()
        self.assertEqual(self.counts(order, batch)["completed"], 3)
        self.services.cancel(order, batch)
        self.assertEqual(self.end(order, batch)["status"], "cancelled")

    def make_version_1(self):
        """The same records in the tables that the first version had."""
        tables = ("record", "remembered_answer")
        with self.database() as database:
            rows = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        for file in (self.services.path / "data").glob("backfill.sqlite*"):
            file.unlink()
        with self.database() as database:
            database.executescript(TABLES_OF_VERSION_1)
            for table in tables:
                # Later versions have put columns behind those of the first.
                columns = len(database.execute(f"PRAGMA table_info({table})").fetchall())
                for row in rows[table]:
                    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", row[:columns])
            database.commit()

    def test_S17_R17_a_batch_whose_validation_was_cut_off_is_validated_again(self):
        order, file = self.upload(["Hello"] * 3)
        # The death comes at once after the batch is stored, but a validation that was quicker is possible.
        for _ in range(5):
            self.restart("rpc.before_reply:1")
            self.dies(lambda: self.post_batch(file))
            if "validating" in {b["status"] for b in self.stored()}:
                break
        self.assertIn("validating", {b["status"] for b in self.stored()})
        self.services.revive()
        wait_for(lambda: {b["status"] for b in self.stored()} == {"completed"}, "the end")
        self.assertEqual(self.stored()[-1]["counts"], {"total": 3, "completed": 3, "failed": 0})

    def test_S21_R16_a_window_that_ends_while_no_scheduler_runs_expires_the_batch_with_what_is_done(self):
        order, _, batch = self.services.order(["Hello"] * 3 + ["[[fault:hang]]"] * 3)
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "three answers")
        self.services.scheduler.kill()
        self.end_window(batch)
        self.services.restart_at()
        self.check_expired(order, batch)

    def test_S30_R16_a_window_that_ends_while_lines_run_stops_them_and_keeps_what_is_done(self):
        order, _, batch = self.services.order(["Hello"] * 3 + ["[[fault:hang]]"] * 3)
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "three answers")
        self.services.scheduler.kill()
        self.end_window(batch, seconds_from_now=5)
        self.services.restart_at()
        self.assertEqual(self.services.get(order, batch)["status"], "in_progress")
        self.check_expired(order, batch)

    def check_expired(self, order, batch):
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]), ("expired", {"total": 6, "completed": 3, "failed": 3}))
        self.assertIsNotNone(ended["expired_at"])
        errors = self.services.http.get(f"{self.services.url}/v1/files/{ended['error_file_id']}/content").text
        self.assertEqual({json.loads(line)["error"]["code"] for line in errors.splitlines()}, {"batch_expired"})
        self.services.history.crashes += 1
        self.check_promises()

    def test_R15_a_window_that_ends_before_validation_expires_the_batch_without_files(self):
        _, file = self.upload(["Hello"] * 3)
        for _ in range(5):
            self.restart("rpc.before_reply:1")
            self.dies(lambda: self.post_batch(file))
            batch = self.stored()[-1]
            if batch["status"] == "validating":
                break
        self.assertEqual(batch["status"], "validating")
        self.end_window(batch["id"])
        self.services.revive()
        ended = self.end(1, batch["id"])
        self.assertEqual((ended["status"], ended["in_progress_at"]), ("expired", None))
        self.assertEqual(ended["request_counts"], {"total": 0, "completed": 0, "failed": 0})
        self.assertEqual((ended["output_file_id"], ended["error_file_id"]), (None, None))


class Cancels(Scenario):
    def check_cancelled(self, order, batch, total):
        began = time.monotonic()
        self.services.cancel(order, batch)
        ended = self.end(order, batch)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual((ended["status"], ended["request_counts"]["total"]), ("cancelled", total))
        self.assertIsNotNone(ended["cancelled_at"])
        return ended

    def test_S27_R11_a_cancel_while_the_engine_is_waited_for(self):
        self.services.engine.kill()
        order, _, batch = self.services.order(["Hello"] * 3)
        wait_for(lambda: self.services.get(order, batch).get("backfill", {}).get("waiting_reason"), "the wait")
        self.check_cancelled(order, batch, 3)
        self.check_promises()

    def test_S27_R12_a_cancel_after_some_answers_keeps_them(self):
        order, _, batch = self.services.order(["Hello"] * 3 + ["[[fault:hang]]"] * 7)
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "three answers")
        ended = self.check_cancelled(order, batch, 10)
        self.assertEqual(ended["request_counts"], {"total": 10, "completed": 3, "failed": 7})
        self.check_promises()

    def test_S27_R8_a_cancel_before_validation_ends_the_batch_without_files(self):
        """The one scheduler that may run the model's batches sleeps, so the batch stays as it was created."""
        self.services.scheduler_arguments = ("--engine-concurrency", CONCURRENCY, "--lease", "10s")
        self.restart()
        order, _, first = self.services.order(["[[fault:hang]]"])
        wait_for(lambda: self.services.get(order, first)["status"] == "in_progress", "the start")
        other = self.services.start_scheduler()
        self.services.scheduler.pause()
        self.services.gateway, sleeper, self.services.scheduler = (
            self.services.start_gateway(other), self.services.scheduler, other)
        order, _, batch = self.services.order(["Hello"] * 3)
        self.assertEqual(self.services.get(order, batch)["status"], "validating")
        ended = self.check_cancelled(order, batch, 0)
        self.assertIsNone(ended["in_progress_at"])
        self.assertEqual((ended["output_file_id"], ended["error_file_id"]), (None, None))
        sleeper.kill()
        self.services.cancel(1, first)
        self.assertEqual(self.end(1, first)["status"], "cancelled")


class RollingUpdate(Scenario):
    engine = ("--time-to-first-token", "50ms", "--slots", "32")

    def test_S22_R21_a_new_scheduler_waits_for_the_old_one_and_goes_on_where_it_stopped(self):
        order, _, batch = self.services.order(["Hello"] * 300)
        wait_for(lambda: self.counts(order, batch)["completed"] > 20, "some answers")
        old, owner = self.services.scheduler, self.owner(batch)
        new = self.services.start_scheduler()
        before = self.counts(order, batch)["completed"]
        wait_for(lambda: self.counts(order, batch)["completed"] > before + 20, "progress beside the new one")
        self.assertEqual(self.owner(batch), owner)
        self.services.scheduler = new
        self.services.gateway = self.services.start_gateway(new)
        self.assertEqual(old.terminate(), 0)
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]["completed"]), ("completed", 300))
        # What was at the engine was waited for, so nothing ran twice.
        self.assertEqual(self.executions(), 300)
        self.check_promises()

    def owner(self, batch):
        with self.database() as database:
            return database.execute("SELECT owner FROM claim WHERE key = ?", (f"batch/{batch}",)).fetchone()


class Memory(Scenario):
    LIMIT = 160 << 20

    def test_T37_I13_memory_does_not_grow_with_files_uploads_or_batches(self):
        """Eight uploads of 30 MB at once, and a hundred batches that wait."""
        line = json.dumps({"custom_id": "%07d", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "simulated-model", "messages": [{"role": "user", "content": "x" * 2_900}]}}) + "\n"
        content = "".join(line % n for n in range(10_000)).encode()
        order, file = self.upload(["[[fault:hang]]"] * 100)
        for _ in range(100):
            self.services.create(order, file)
        most = [0, 0]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            uploads = [pool.submit(self.upload_with_curl, content) for _ in range(8)]
            while not all(upload.done() for upload in uploads):
                for n, program in enumerate((self.services.scheduler, self.services.gateway)):
                    most[n] = max(most[n], program.resident_bytes())
                time.sleep(0.02)
        self.assertEqual({upload.result() for upload in uploads}, {len(content)})
        self.assertLess(max(most), self.LIMIT, f"scheduler and gateway took {most}")

    def upload_with_curl(self, content):
        done = subprocess.run(
            ["curl", "-s", f"{self.services.url}/v1/files", "-F", "purpose=batch", "-F", "file=@-;filename=a.jsonl"],
            input=content, capture_output=True, check=True)
        return json.loads(done.stdout).get("bytes")


class Limits(Scenario):
    engine = ("--time-to-first-token", "20ms", "--slots", "32")

    def test_T07_without_descriptors_load_is_refused_and_nothing_is_lost(self):
        """The scheduler may open nothing more for a while: it stays, refuses what needs a file, and goes on afterwards."""
        order, _, batch = self.services.order(["Hello"] * 200)
        wait_for(lambda: self.executions(batch) > 10, "some answers")
        scheduler = self.services.scheduler.process.pid
        before = resource.prlimit(scheduler, resource.RLIMIT_NOFILE)
        taken = len(list(pathlib.Path(f"/proc/{scheduler}/fd").iterdir()))
        resource.prlimit(scheduler, resource.RLIMIT_NOFILE, (taken, before[1]))
        refused = self.services.http.post(f"{self.services.url}/v1/files", data={"purpose": "batch"},
                                          files={"file": ("a.jsonl", b"{}\n")})
        self.assertGreaterEqual(refused.status_code, 500, refused.text)
        time.sleep(1)
        self.assertTrue(self.services.scheduler.runs)
        resource.prlimit(scheduler, resource.RLIMIT_NOFILE, before)
        self.assertEqual(self.end(order, batch)["request_counts"]["completed"], 200)
        other, _, later = self.services.order(["Hello"] * 5)
        self.assertEqual(self.end(other, later)["status"], "completed")
        self.assertEqual(self.services.scheduler.process.pid, scheduler)
        self.check_promises()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
