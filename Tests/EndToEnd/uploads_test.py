"""A8: uploads in parts with the stock OpenAI SDK, over several gateways, and through kill -9 of the scheduler."""

import concurrent.futures
import hashlib
import json
import pathlib
import sqlite3
import tempfile
import threading
import unittest

import openai
from openai import OpenAI

from raw_http import connect, everything
from sdk_test import Case, jsonl, request
from services import DidNotStart, Services, wait_for

MIB = 1 << 20
PART_MOST = 64 * MIB


def client_of(gateway, **options):
    return OpenAI(base_url=f"http://{gateway.address}/v1", api_key="none", **{"max_retries": 0, **options})


class UploadCase(Case):
    def begin(self, size, **more):
        return self.client.uploads.create(**{
            "bytes": size, "filename": "big.bin", "mime_type": "application/octet-stream", "purpose": "user_data",
            **more})

    def part(self, upload, data, client=None):
        return (client or self.client).uploads.parts.create(upload.id, data=data)

    def complete(self, upload, parts, **more):
        return self.client.uploads.complete(upload.id, part_ids=[p.id for p in parts], **more)

    def shown(self, upload):
        """The upload as it is; a scheduler that was just started may take a moment to be found."""
        def answered():
            answer = self.raw("GET", f"/v1/uploads/{upload.id}")
            return answer.json() if answer.status_code == 200 else None

        return wait_for(answered, f"an answer about {upload.id}")

    def refused(self, status, code, param, call, *arguments, **options):
        """Calls and expects a refusal."""
        with self.assertRaises(openai.APIStatusError) as caught:
            call(*arguments, **options)
        error = caught.exception
        self.assertEqual((error.status_code, error.code, error.param), (status, code, param), error.message)

    def stored_parts(self):
        return {p.name for p in (self.services.path / "data" / "blobs").glob("*/part_*")}

    def part_records(self):
        with sqlite3.connect(self.services.path / "data" / "backfill.sqlite") as database:
            return {row[0] for row in database.execute("SELECT id FROM record WHERE kind = 'upload_part'")}


class Uploads(UploadCase):
    def test_A8_01_a_new_upload_is_pending_for_an_hour(self):
        upload = self.begin(1_000, purpose="batch", filename="naïve.jsonl")
        self.assertRegex(upload.id, r"^upload_[0-9a-f]{32}$")
        self.assertEqual((upload.object, upload.status, upload.bytes, upload.filename, upload.purpose, upload.file),
                         ("upload", "pending", 1_000, "naïve.jsonl", "batch", None))
        self.assertEqual(upload.expires_at, upload.created_at + 3_600)

    def test_A8_01_what_is_wrong_with_a_new_upload_is_named(self):
        good = {"bytes": 5, "filename": "f", "mime_type": "text/plain", "purpose": "batch"}
        cases = [
            ({"bytes": 0}, "bytes", "invalid_value"), ({"bytes": -1}, "bytes", "invalid_value"),
            ({"bytes": "5"}, "bytes", "invalid_type"), ({"bytes": None}, "bytes", "missing_required_parameter"),
            ({"bytes": 1.5}, "bytes", "invalid_type"),
            # A7-05 holds for what is sent in parts, too.
            ({"bytes": (200 << 20) + 1}, "bytes", "file_too_large"),
            ({"bytes": (8 << 30) + 1, "purpose": "user_data"}, "bytes", "file_too_large"),
            ({"purpose": "batch_output"}, "purpose", "invalid_value"), ({"filename": ""}, "filename", "invalid_value"),
            ({"filename": "x" * 2_049}, "filename", "invalid_value"),
            ({"mime_type": None}, "mime_type", "missing_required_parameter"),
            ({"mime_typ": "a"}, "mime_typ", "unknown_parameter"),
            ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds", "invalid_value"),
        ]
        for change, param, code in cases:
            with self.subTest(**change):
                answer = self.raw("POST", "/v1/uploads", json={**good, **change})
                error = answer.json()["error"]
                self.assertEqual((answer.status_code, error["param"], error["code"]), (400, param, code), error)
        self.assertEqual(self.begin(8 << 30).bytes, 8 << 30)
        self.assertEqual(self.begin(200 << 20, purpose="batch").bytes, 200 << 20)

    def test_A8_01_an_upload_that_is_not_there_is_not_found(self):
        never = "upload_" + "0" * 32
        self.refused(404, "upload_not_found", "upload_id", self.client.uploads.complete, never, part_ids=["part_1"])
        self.refused(404, "upload_not_found", "upload_id", self.client.uploads.cancel, never)
        self.refused(404, "upload_not_found", "upload_id", self.client.uploads.parts.create, never, data=b"x")
        self.assertEqual(self.raw("GET", f"/v1/uploads/{never}").status_code, 404)
        self.assertEqual(self.raw("GET", "/v1/uploads").status_code, 405)

    def test_A8_02_parts_that_arrive_in_parallel_make_the_file_in_the_order_of_the_completion(self):
        chunks = [bytes([n]) * (n * 70_001 + 1) for n in range(12)]
        upload = self.begin(sum(map(len, chunks)))
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            parts = list(pool.map(lambda c: self.part(upload, c), chunks))
        self.assertRegex(parts[0].id, r"^part_[0-9a-f]{32}$")
        self.assertEqual({(p.object, p.upload_id) for p in parts}, {("upload.part", upload.id)})
        order = list(range(12))[::-1]
        content = b"".join(chunks[n] for n in order)
        done = self.complete(upload, [parts[n] for n in order], md5=hashlib.md5(content).hexdigest().upper())
        self.assertEqual((done.status, done.file.bytes, done.file.purpose, done.file.filename),
                         ("completed", len(content), "user_data", "big.bin"))
        self.assertEqual(self.client.files.content(done.file.id).read(), content)
        self.assertEqual(self.client.files.retrieve(done.file.id).id, done.file.id)

    def test_A8_02_a_part_has_64_MiB_at_most(self):
        upload = self.begin(1 << 30)
        with self.assertRaises(openai.APIStatusError) as caught:
            self.part(upload, b"x" * (PART_MOST + (1 << 17)))
        self.assertEqual((caught.exception.status_code, caught.exception.code, caught.exception.param),
                         (413, "part_too_large", "data"))
        # Within the bound of the body, and without a length that tells.
        head = b'--b\r\ncontent-disposition: form-data; name="data"; filename="p"\r\n\r\n'

        def body():
            yield head
            for _ in range(64):
                yield b"y" * MIB
            yield b"z\r\n--b--\r\n"

        answer = self.raw("POST", f"/v1/uploads/{upload.id}/parts", content=body(),
                          headers={"content-type": "multipart/form-data; boundary=b"})
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (413, "part_too_large"))
        whole = self.part(upload, b"x" * PART_MOST)
        self.assertEqual([(p["id"], p["bytes"]) for p in self.shown(upload)["backfill"]["parts"]],
                         [(whole.id, PART_MOST)])
        self.client.uploads.cancel(upload.id)

    def test_A8_02_a_form_without_the_part_is_refused(self):
        upload = self.begin(10)
        path = f"/v1/uploads/{upload.id}/parts"
        cases = [
            ('--b\r\ncontent-disposition: form-data; name="dat"\r\n\r\nx\r\n--b--\r\n', "dat", "unknown_parameter"),
            ('--b\r\ncontent-disposition: form-data; name="data"\r\n\r\n\r\n--b--\r\n', "data", "invalid_value"),
            ("--b--\r\n", "data", "missing_required_parameter"),
            (2 * '--b\r\ncontent-disposition: form-data; name="data"\r\n\r\nx\r\n' + "--b--\r\n", "data",
             "invalid_value"),
            ('--b\r\ncontent-disposition: form-data; name="data"\r\n\r\nx', None, "invalid_multipart"),
        ]
        for form, param, code in cases:
            with self.subTest(form=form):
                answer = self.raw("POST", path, content=form.encode(),
                                  headers={"content-type": "multipart/form-data; boundary=b"})
                error = answer.json()["error"]
                self.assertEqual((answer.status_code, error["param"], error["code"]), (400, param, code))
        self.assertEqual(self.raw("POST", path, json={}).status_code, 415)
        plain = '--b\r\ncontent-disposition: form-data; name="data"\r\n\r\nx\r\n--b--\r\n'
        answer = self.raw("POST", path, content=plain.encode(),
                          headers={"content-type": "multipart/form-data; boundary=b"})
        self.assertEqual((answer.status_code, answer.json()["upload_id"]), (200, upload.id))
        self.assertEqual(len(self.shown(upload)["backfill"]["parts"]), 1)

    def test_A8_03_a_completion_that_is_wrong_leaves_the_upload_pending(self):
        upload, other = self.begin(6), self.begin(3)
        first, second, foreign = self.part(upload, b"abc"), self.part(upload, b"def"), self.part(other, b"ghi")
        self.refused(400, "size_mismatch", "part_ids", self.complete, upload, [first])
        self.refused(400, "duplicate_part", "part_ids", self.complete, upload, [first, first])
        self.refused(400, "part_not_found", "part_ids", self.complete, upload, [first, foreign])
        self.refused(400, "invalid_value", "part_ids", self.complete, upload, [])
        self.refused(400, "md5_mismatch", "md5", self.complete, upload, [second, first],
                     md5=hashlib.md5(b"abcdef").hexdigest())
        self.refused(400, "invalid_value", "md5", self.complete, upload, [first, second], md5="abc")
        answer = self.raw("POST", f"/v1/uploads/{upload.id}/complete", json={"part_id": [first.id]})
        self.assertIn("Did you mean 'part_ids'?", answer.json()["error"]["message"])
        shown = self.shown(upload)
        self.assertEqual((shown["status"], shown["file"]), ("pending", None))
        done = self.complete(upload, [first, second], md5=hashlib.md5(b"abcdef").hexdigest())
        self.assertEqual(self.client.files.content(done.file.id).read(), b"abcdef")

    def test_A8_03_T20_completing_again_with_the_same_parts_gives_the_same_file(self):
        upload = self.begin(6)
        parts = [self.part(upload, b"abc"), self.part(upload, b"def")]
        done = self.complete(upload, parts)
        again = self.complete(upload, parts)
        self.assertEqual((again.status, again.file.id), ("completed", done.file.id))
        self.refused(400, "upload_completed", "upload_id", self.complete, upload, parts[::-1])
        self.assertEqual(self.shown(upload)["file"]["id"], done.file.id)
        self.client.files.delete(done.file.id)
        self.assertIsNone(self.complete(upload, parts).file)

    def test_A8_03_T33_completing_in_parallel_gives_one_file(self):
        size = 3 * MIB
        upload = self.begin(2 * size)
        parts = [self.part(upload, b"a" * size), self.part(upload, b"b" * size)]
        before = {f.id for f in self.client.files.list()}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            files = list(pool.map(lambda _: self.complete(upload, parts).file.id, range(8)))
        self.assertEqual(len(set(files)), 1)
        self.assertEqual({f.id for f in self.client.files.list()} - before, set(files))

    def test_A8_03_a_batch_input_in_parts_is_checked_and_runs(self):
        content = jsonl(request(f"line-{n}") for n in range(200)) + b"{bad\n"
        cut = len(content) // 3 + 5
        for wanted, end in (("completed", -5), ("failed", len(content))):
            data = content[:end]
            upload = self.begin(len(data), purpose="batch", filename="in.jsonl")
            parts = [self.part(upload, data[at:at + cut]) for at in range(0, len(data), cut)]
            file = self.complete(upload, parts).file
            self.assertEqual(file.expires_at, file.created_at + 30 * 86_400)
            batch = self.wait(self.create(file.id).id)
            self.assertEqual(batch.status, wanted, batch.errors)
        self.assertEqual([(e.code, e.line) for e in batch.errors.data], [("invalid_json_line", 201)])

    def test_A8_01_expires_after_is_the_files(self):
        upload = self.begin(1, expires_after={"anchor": "created_at", "seconds": 4_000})
        file = self.complete(upload, [self.part(upload, b"x")]).file
        self.assertEqual(file.expires_at, file.created_at + 4_000)

    def test_A8_03_the_sdks_chunked_upload(self):
        content = bytes(range(256)) * 40_000
        done = self.client.uploads.upload_file_chunked(
            file=content, filename="c.bin", bytes=len(content), mime_type="application/octet-stream",
            purpose="user_data", part_size=3 * MIB, md5=hashlib.md5(content).hexdigest())
        self.assertEqual(done.status, "completed")
        self.assertEqual(self.client.files.content(done.file.id).read(), content)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "d.bin"
            path.write_bytes(content)
            done = self.client.uploads.upload_file_chunked(
                file=path, mime_type="application/octet-stream", purpose="user_data", part_size=4 * MIB)
        self.assertEqual((done.file.filename, done.file.bytes), ("d.bin", len(content)))

    def test_A8_04_a_cancelled_upload_takes_nothing_more_and_leaves_nothing(self):
        upload = self.begin(6)
        part = self.part(upload, b"abcdef")
        self.assertIn(part.id, self.stored_parts())
        self.assertEqual(self.client.uploads.cancel(upload.id).status, "cancelled")
        self.assertEqual(self.client.uploads.cancel(upload.id).status, "cancelled")
        self.refused(400, "upload_cancelled", "upload_id", self.part, upload, b"x")
        self.refused(400, "upload_cancelled", "upload_id", self.complete, upload, [part])
        self.assertEqual(self.shown(upload)["status"], "cancelled")
        wait_for(lambda: not any(part.id in name for name in self.stored_parts()), "the part's bytes")
        wait_for(lambda: part.id not in self.part_records(), "the part's record")

    def test_A8_04_a_completed_upload_takes_nothing_more_and_its_parts_go(self):
        upload = self.begin(3)
        part = self.part(upload, b"abc")
        self.complete(upload, [part])
        self.refused(400, "upload_completed", "upload_id", self.part, upload, b"x")
        self.refused(400, "upload_completed", "upload_id", self.client.uploads.cancel, upload.id)
        wait_for(lambda: not any(part.id in name for name in self.stored_parts()), "the part's bytes")
        wait_for(lambda: part.id not in self.part_records(), "the part's record")

    def test_A8_02_an_interrupted_client_sees_what_has_come(self):
        upload = self.begin(1_000)
        sizes = {self.part(upload, b"x" * n).id: n for n in (7, 9, 11)}
        shown = self.shown(upload)
        self.assertEqual({p["id"]: p["bytes"] for p in shown["backfill"]["parts"]}, sizes)
        self.assertEqual(shown["backfill"]["received_bytes"], 27)


class Bounds(UploadCase):
    def test_A8_01_a_tenant_has_1000_live_uploads_at_most(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            uploads = list(pool.map(lambda _: self.begin(1), range(1_000)))
        with self.assertRaises(openai.RateLimitError) as caught:
            self.begin(1)
        self.assertEqual(caught.exception.code, "too_many_pending_uploads")
        self.assertTrue(caught.exception.response.headers["retry-after"])
        self.client.uploads.cancel(uploads[0].id)
        self.begin(1)


class Expiry(UploadCase):
    """An upload's time is over: it says so at once, and the sweep removes its parts."""

    @classmethod
    def setUpClass(cls):
        cls.services = Services(scheduler=("--upload-lifetime", "2s", "--lease", "1s", "--sweep-interval", "1s"))
        cls.client = client_of(cls.services.gateway)

    def test_A8_01_A8_04_an_expired_upload_takes_nothing_more_and_leaves_nothing(self):
        upload = self.begin(6)
        self.assertEqual(upload.expires_at, upload.created_at + 2)
        part = self.part(upload, b"abcdef")
        wait_for(lambda: self.shown(upload)["status"] == "expired", "its time")
        self.refused(400, "upload_expired", "upload_id", self.part, upload, b"x")
        self.refused(400, "upload_expired", "upload_id", self.complete, upload, [part])
        self.refused(400, "upload_expired", "upload_id", self.client.uploads.cancel, upload.id)
        wait_for(lambda: not self.stored_parts() and not self.part_records(), "the sweep of its parts")
        self.assertEqual(self.shown(upload)["status"], "expired")


class Crashes(UploadCase):
    """The scheduler is killed between parts, during one, and wherever a completion can be."""

    def setUp(self):
        self.client = client_of(self.services.gateway, max_retries=5)

    @classmethod
    def setUpClass(cls):
        cls.services = Services(scheduler=("--lease", "1s", "--sweep-interval", "1s"))

    def restart(self, point=None):
        services = self.services
        services.scheduler.kill()
        environment = {"BACKFILL_FAIL_POINT": point} if point else {}
        services.scheduler = services.start_scheduler(listen=services.scheduler.address, environment=environment)

    def test_A8_02_T09_parts_that_were_acknowledged_outlive_kill_9(self):
        upload = self.begin(9)
        parts = [self.part(upload, b"abc")]
        for data in (b"def", b"ghi"):
            self.restart()
            parts.append(self.part(upload, data))
        self.restart()
        self.assertEqual(len(self.shown(upload)["backfill"]["parts"]), 3)
        done = self.complete(upload, parts)
        self.restart()
        self.assertEqual(self.client.files.content(done.file.id).read(), b"abcdefghi")
        self.assertEqual(self.complete(upload, parts).file.id, done.file.id)

    def test_A8_02_T09_a_part_under_way_at_kill_9_is_sent_again_and_counts_once(self):
        size = 8 * MIB
        upload = self.begin(size)
        head = (f"POST /v1/uploads/{upload.id}/parts HTTP/1.1\r\nhost: x\r\ncontent-length: {size + 300}\r\n"
                "content-type: multipart/form-data; boundary=b\r\n\r\n"
                '--b\r\ncontent-disposition: form-data; name="data"; filename="p"\r\n\r\n').encode()
        with connect(self.services.gateway) as half:
            half.sendall(head + b"x" * (size // 2))
            staged = self.services.path / "data" / "staging"
            wait_for(lambda: any(p.stat().st_size for p in staged.glob("*/part_*")), "the first half")
            self.restart()
            half.sendall(b"x" * (size // 2))
            answer = everything(half)
        self.assertRegex(answer, rb"^HTTP/1.1 503 ")
        self.assertIn(b"upload_interrupted", answer)
        part = self.part(upload, b"y" * size)
        self.assertEqual([p["id"] for p in self.shown(upload)["backfill"]["parts"]], [part.id])
        self.assertEqual(self.complete(upload, [part]).file.bytes, size)

    def test_A8_02_I12_a_sweep_keeps_the_parts_of_a_pending_upload_and_no_others(self):
        upload = self.begin(6)
        part = self.part(upload, b"abcdef")
        blobs = self.services.path / "data" / "blobs" / "0f"
        blobs.mkdir(parents=True, exist_ok=True)
        orphans = [blobs / ("part_" + "0" * 30 + "0f"), blobs / ("file-" + "0" * 30 + "0f")]
        for orphan in orphans:
            orphan.write_bytes(b"x")
        # They go at the second sweep that finds them; so would the part.
        wait_for(lambda: not any(orphan.exists() for orphan in orphans), "the sweep of orphans")
        done = self.complete(upload, [part])
        self.assertEqual(self.client.files.content(done.file.id).read(), b"abcdef")

    def acked_file(self, upload, parts):
        """The id of the file that a completion is answered with; None when the scheduler dies of it."""
        body = {"part_ids": [p.id for p in parts]}

        def outcome():
            answer = self.raw("POST", f"/v1/uploads/{upload.id}/complete", json=body)
            return answer if answer.status_code == 200 or not self.services.scheduler.runs else None

        answer = wait_for(outcome, "an answer or the end of the scheduler")
        return answer.json()["file"]["id"] if answer.status_code == 200 else None

    def test_A8_03_T01_a_completion_that_dies_anywhere_is_whole_or_pending(self):
        content = jsonl(request(f"line-{n}") for n in range(20))
        half = len(content) // 2
        died = 0
        for number in range(1, 400):
            upload = self.begin(len(content), purpose="batch")
            parts = [self.part(upload, content[:half]), self.part(upload, content[half:])]
            try:
                self.restart(f"any:{number}")
            except DidNotStart:
                self.restart()
                self.complete(upload, parts)
                continue
            acked = self.acked_file(upload, parts)
            was_killed = not self.services.scheduler.runs
            died += was_killed
            self.restart()
            shown = self.shown(upload)
            self.assertIn(shown["status"], ("completed",) if acked else ("pending", "completed"))
            done = self.complete(upload, parts)
            self.assertEqual(done.file.id, acked or done.file.id)
            self.assertEqual(self.client.files.content(done.file.id).read(), content)
            if acked and not was_killed:
                break
        print(f"{number} starts, {died} deaths while the completion ran")
        self.assertGreater(died, 10)
        files = {f.id for f in self.client.files.list()}

        def bytes_left():
            names = {p.name.split(".")[0] for p in (self.services.path / "data" / "blobs").glob("*/*")}
            return names - files

        wait_for(lambda: not bytes_left() and not self.part_records(), "the sweep")
        staging = self.services.path / "data" / "staging"
        wait_for(lambda: not any(p for d in staging.iterdir() for p in d.iterdir()), "the sweep of staging")


class Gateways(UploadCase):
    """Parts over any gateway and any scheduler of the store."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.services.start_scheduler()
        cls.others = [client_of(cls.services.start_gateway(cls.second)),
                      client_of(cls.services.start_gateway(cls.services.scheduler, cls.second))]

    def test_A8_02_parts_come_over_any_gateway_and_scheduler(self):
        chunks = [bytes([65 + n]) * 300_000 for n in range(12)]
        upload = self.begin(sum(map(len, chunks)))
        clients = [self.client, *self.others]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            parts = list(pool.map(lambda n: self.part(upload, chunks[n], clients[n % 3]), range(12)))
        done = self.others[0].uploads.complete(upload.id, part_ids=[p.id for p in parts])
        self.assertEqual(self.client.files.content(done.file.id).read(), b"".join(chunks))
        self.assertEqual(self.client.uploads.complete(upload.id, part_ids=[p.id for p in parts]).file.id, done.file.id)

    def test_A8_03_T33_completions_at_two_schedulers_make_one_file(self):
        for _ in range(5):
            upload = self.begin(4 * MIB)
            parts = [self.part(upload, b"p" * (2 * MIB)), self.part(upload, b"q" * (2 * MIB))]
            ids = [p.id for p in parts]
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                clients = [self.client, *self.others] * 2
                done = list(pool.map(lambda c: c.uploads.complete(upload.id, part_ids=ids).file.id, clients))
            self.assertEqual(len(set(done)), 1)
            self.assertEqual(self.client.files.content(done[0]).read(), b"p" * (2 * MIB) + b"q" * (2 * MIB))


class Memory(UploadCase):
    """I-13: memory does not grow with parts or files."""

    MOST = 64 * MIB

    def watch(self, stop, peaks):
        while not stop.wait(0.05):
            for program in (self.services.scheduler, self.services.gateway):
                status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
                anonymous = int(status.split("RssAnon:")[1].split()[0]) << 10
                peaks[program.name] = max(peaks.get(program.name, 0), anonymous)

    def test_A8_02_I13_eight_parts_of_64_MiB_at_once_are_not_held(self):
        upload = self.begin(8 * PART_MOST)
        stop, peaks = threading.Event(), {}
        watcher = threading.Thread(target=self.watch, args=(stop, peaks))
        watcher.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                parts = list(pool.map(lambda n: self.part(upload, bytes([n]) * PART_MOST), range(8)))
            done = self.complete(upload, parts)
        finally:
            stop.set()
            watcher.join()
        self.assertEqual(done.file.bytes, 8 * PART_MOST)
        for name, peak in peaks.items():
            self.assertLess(peak, self.MOST, f"{name} had {peak >> 20} MiB")
        print({name: f"{peak >> 20} MiB" for name, peak in peaks.items()})
        self.client.files.delete(done.file.id)


if __name__ == "__main__":
    unittest.main(verbosity=2)
