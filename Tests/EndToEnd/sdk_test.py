"""The stock OpenAI SDK against the real pair of services. Item ids name the points of the API contract."""

import io
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import openai
from openai import OpenAI

from raw_http import connect, everything
from services import BIN, Program, Services, wait_for

MODEL = "simulated-model"
TERMINAL = {"completed", "failed", "expired", "cancelled"}
BATCH_KEYS = {
    "id", "object", "endpoint", "model", "errors", "input_file_id", "completion_window", "status", "output_file_id",
    "error_file_id", "created_at", "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at",
    "expired_at", "cancelling_at", "cancelled_at", "request_counts", "usage", "metadata",
}


def request(custom_id, prompt="Hello", model=MODEL, url="/v1/chat/completions", **body):
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def jsonl(requests):
    return "".join(json.dumps(r) + "\n" for r in requests).encode()


class Case(unittest.TestCase):
    engine_arguments = ()
    scheduler_arguments = ()
    gateway_arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.services = Services(
            engine=cls.engine_arguments, scheduler=cls.scheduler_arguments, gateway=cls.gateway_arguments
        )
        cls.client = OpenAI(base_url=cls.services.url + "/v1", api_key="none", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        codes = cls.services.stop()
        assert set(codes.values()) == {0}, f"exit codes after SIGTERM: {codes}"

    def upload(self, content, name="input.jsonl"):
        return self.client.files.create(file=(name, content), purpose="batch")

    def create(self, file_id, **more):
        return self.client.batches.create(**{
            "input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **more
        })

    def wait(self, batch_id):
        def ended():
            batch = self.client.batches.retrieve(batch_id)
            return batch if batch.status in TERMINAL else None

        return wait_for(ended, f"the end of {batch_id}")

    def run_batch(self, content, **more):
        return self.wait(self.create(self.upload(content).id, **more).id)

    def lines(self, file_id):
        text = self.client.files.content(file_id).read().decode()
        return [json.loads(line) for line in text.splitlines()]

    def raw(self, method, path, **options):
        return self.client._client.request(method, self.services.url + path, **options)


class Files(Case):
    def test_A7_01_a_file_comes_back_byte_for_byte(self):
        content = jsonl([request("ä-1", "Füße 🚀")]) + b"\r\n"
        file = self.upload(content, "naïve name.jsonl")
        self.assertRegex(file.id, r"^file-[0-9a-f]{32}$")
        self.assertEqual((file.object, file.bytes, file.purpose, file.filename, file.status),
                         ("file", len(content), "batch", "naïve name.jsonl", "processed"))
        self.assertEqual(file.expires_at, file.created_at + 30 * 86_400)
        self.assertEqual(self.client.files.content(file.id).read(), content)
        self.assertEqual(self.client.files.retrieve(file.id).id, file.id)

    def test_A7_02_the_fields_of_the_form_may_come_in_any_order(self):
        boundary = "x7"
        purpose = '--x7\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        file = '--x7\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\n\r\n'
        for order in (purpose + file, file + purpose):
            answer = self.raw("POST", "/v1/files", content=(order + "--x7--\r\n").encode(),
                              headers={"content-type": f"multipart/form-data; boundary={boundary}"})
            self.assertEqual(answer.status_code, 200, answer.text)
            self.assertEqual((answer.json()["bytes"], answer.json()["purpose"]), (3, "batch"))

    def test_A7_13_a_form_without_a_file_is_refused(self):
        answer = self.raw("POST", "/v1/files", content=b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n'
                          b"batch\r\n--x--\r\n", headers={"content-type": "multipart/form-data; boundary=x"})
        self.assertEqual((answer.status_code, answer.json()["error"]["param"]), (400, "file"))

    def test_A7_07_lists_page_by_id_in_both_orders(self):
        ids = [self.upload(b"{}\n", f"page-{n}.jsonl").id for n in range(7)]
        newest_first = [f.id for f in self.client.files.list(limit=3, purpose="batch")]
        self.assertEqual([i for i in newest_first if i in ids], ids[::-1])
        oldest_first = [f.id for f in self.client.files.list(limit=2, order="asc")]
        self.assertEqual([i for i in oldest_first if i in ids], ids)
        self.assertEqual(len(newest_first), len(set(newest_first)))

    def test_A7_09_a_deleted_file_is_gone(self):
        file = self.upload(b"{}\n")
        deleted = self.client.files.delete(file.id)
        self.assertEqual((deleted.id, deleted.object, deleted.deleted), (file.id, "file", True))
        for call in (self.client.files.retrieve, self.client.files.content, self.client.files.delete):
            with self.assertRaises(openai.NotFoundError):
                call(file.id)

    def test_large_upload_comes_back_whole(self):
        content = jsonl(request(f"line-{n}", "x" * 900) for n in range(30_000))
        file = self.upload(content)
        self.assertEqual(self.client.files.content(file.id).read(), content)


class LargeFiles(Case):
    """T-34: files at and over the limits. They are sparse or made on the fly, so that nothing large stays here."""

    MOST = 200 << 20

    def post(self, make):
        """Uploads what `make` writes and gives the status and the object."""
        with tempfile.TemporaryFile() as file:
            make(file)
            file.seek(0)
            done = subprocess.run(
                ["curl", "-s", "-w", "\n%{http_code}", self.services.url + "/v1/files", "-F", "purpose=batch",
                 "-F", "file=@-;filename=large.jsonl"],
                stdin=file, capture_output=True, check=True,
            )
        text, status = done.stdout.decode().rsplit("\n", 1)
        return int(status), json.loads(text)

    def codes(self, file_id):
        batch = self.wait(self.create(file_id).id)
        self.assertEqual(batch.status, "failed")
        return [(error.code, error.line) for error in batch.errors.data]

    def test_T34_200_MiB_are_taken_and_one_more_byte_is_not(self):
        # Several times, since the chunks of an upload race with each other.
        for _ in range(3):
            status, file = self.post(lambda file: file.truncate(self.MOST))
            self.assertEqual((status, file.get("bytes")), (200, self.MOST), file)
            status, refusal = self.post(lambda file: file.truncate(self.MOST + 1))
            self.assertEqual((status, refusal["error"]["code"]), (413, "file_too_large"))

    def test_T34_one_line_of_200_MB_is_refused_by_its_length(self):
        status, file = self.post(lambda file: file.truncate(self.MOST))
        self.assertEqual(self.codes(file["id"]), [("line_too_long", 1)])

    def test_T34_a_gigabyte_of_brackets_is_refused(self):
        def brackets(file):
            for _ in range(1024):
                file.write(b"[" * (1 << 20))

        status, refusal = self.post(brackets)
        self.assertEqual((status, refusal["error"]["code"]), (413, "file_too_large"))

    def test_T34_deep_brackets_in_a_line_are_refused(self):
        status, file = self.post(lambda file: file.write(b"[" * (8 << 20)))
        self.assertEqual([line for _, line in self.codes(file["id"])], [1])

    def test_T34_50001_lines_are_one_too_many(self):
        content = jsonl(request(str(n)) for n in range(50_001))
        self.assertEqual(self.codes(self.upload(content).id), [("too_many_tasks", None)])

    def test_T34_ids_that_are_the_same_at_both_ends_of_a_large_file(self):
        content = jsonl(request(str(n % 49_999)) for n in range(50_000))
        self.assertEqual(self.codes(self.upload(content).id), [("duplicate_custom_id", 50_000)])


class Forms(Case):
    """Multipart cases of T-35 and HTTP cases of T-36."""

    FILE = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n'
    PURPOSE = b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    END = b"--x--\r\n"

    def post(self, content, content_type="multipart/form-data; boundary=x"):
        return self.raw("POST", "/v1/files", content=content, headers={"content-type": content_type})

    def assert_refused(self, answer, status=400):
        self.assertEqual(answer.status_code, status, answer.text)
        self.assertEqual(set(answer.json()["error"]), {"message", "type", "param", "code"})

    def test_T35_broken_forms_are_refused(self):
        nested = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n' \
                 b"content-type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n"
        forms = {
            "no boundary": (self.FILE + self.PURPOSE + self.END, "multipart/form-data"),
            "another type": (b"{}", "application/json"),
            "unterminated": (self.PURPOSE + self.FILE,),
            "no purpose": (self.FILE + self.END,),
            "no name": (b"--x\r\ncontent-disposition: form-data\r\n\r\nv\r\n" + self.PURPOSE + self.FILE + self.END,),
            "two files": (self.PURPOSE + self.FILE + self.FILE + self.END,),
            "nested": (self.PURPOSE + nested + self.END,),
            "many parts": (self.PURPOSE + self.PURPOSE.replace(b"purpose", b"other") * 10_000 + self.FILE + self.END,),
            "long header": (b"--x\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n\r\n" + self.END,),
            "unknown purpose": (self.PURPOSE.replace(b"batch", b"fun") + self.FILE + self.END,),
            "empty": (b"",),
        }
        for name, form in forms.items():
            with self.subTest(name):
                answer = self.post(*form)
                self.assertIn(answer.status_code, (400, 413, 415), answer.text)
                self.assert_refused(answer, answer.status_code)

    def test_A7_11_a_file_name_is_data(self):
        for name in ["../../etc/passwd", "a/b\\c", "x" * 1_000, "\u202egnp.exe", "🚀" * 200]:
            form = self.FILE.replace(b"a.jsonl", name.replace("\\", "\\\\").encode())
            answer = self.post(self.PURPOSE + form + self.END)
            self.assertEqual(answer.status_code, 200, answer.text)
            self.assertEqual(self.client.files.content(answer.json()["id"]).read(), b"{}")

    def test_A7_05_a_file_that_is_too_large_is_refused_before_its_body(self):
        path = self.services.path / "head"
        path.write_bytes(b"x")
        run = subprocess.run(["curl", "-sv", "-X", "POST", f"{self.services.url}/v1/files", "-H", "expect: 100-continue",
                              "-H", "content-type: multipart/form-data; boundary=x", "-H", "content-length: 900000000",
                              "--data-binary", f"@{path}", "--max-time", "20"], capture_output=True, text=True)
        self.assertIn(" 413 ", run.stderr)
        self.assertNotIn("100 Continue", run.stderr)
        self.assertIn("message", json.loads(run.stdout)["error"])

    def test_T36_curl_gets_its_100_continue(self):
        (self.services.path / "curl.jsonl").write_bytes(jsonl(request(str(n), "x" * 900) for n in range(3_000)))
        run = subprocess.run(["curl", "-sv", f"{self.services.url}/v1/files", "-F", "purpose=batch",
                              "-F", f"file=@{self.services.path}/curl.jsonl", "-H", "expect: 100-continue"],
                             capture_output=True, text=True)
        self.assertIn("HTTP/1.1 100 Continue", run.stderr)
        self.assertNotIn("Done waiting for 100-continue", run.stderr)
        self.assertEqual(json.loads(run.stdout)["object"], "file")

    def test_T36_what_is_not_http_gets_an_error_object(self):
        requests = [
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
        ]
        for sent in requests:
            with connect(self.services.gateway) as connection:
                connection.sendall(sent)
                answer = everything(connection)
                head, _, body = answer.partition(b"\r\n\r\n")
                self.assertRegex(head, rb"^HTTP/1.1 4\d\d ", sent[:40])
                self.assertIn("message", json.loads(body)["error"], sent[:40])


class Batches(Case):
    def test_A5_every_line_has_one_answer_in_input_order(self):
        requests = [request(f"id-{n}", f"prompt {n}", max_tokens=5) for n in range(500)]
        created = self.create(self.upload(jsonl(requests)).id, metadata={"team": "red"})
        self.assertEqual((created.object, created.status), ("batch", "validating"))
        self.assertEqual(created.expires_at, created.created_at + 86_400)
        batch = self.wait(created.id)
        self.assertEqual(batch.status, "completed")
        self.assertEqual((batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed),
                         (500, 500, 0))
        self.assertEqual((batch.metadata, batch.model, batch.error_file_id), ({"team": "red"}, MODEL, None))
        self.assertEqual(set(self.raw("GET", f"/v1/batches/{batch.id}").json()), BATCH_KEYS | {"backfill"})
        lines = self.lines(batch.output_file_id)
        self.assertEqual([line["custom_id"] for line in lines], [r["custom_id"] for r in requests])
        for line, sent in zip(lines, requests):
            self.assertRegex(line["id"], r"^batch_req_")
            self.assertEqual((line["error"], line["response"]["status_code"]), (None, 200))
            direct = self.client._client.post(f"http://{self.services.engine_address}/v1/chat/completions",
                                              content=json.dumps(sent["body"])) if sent["custom_id"] == "id-7" else None
            if direct is not None:
                self.assertEqual(line["response"]["body"], direct.json())
        self.assertEqual(batch.usage.total_tokens, sum(x["response"]["body"]["usage"]["total_tokens"] for x in lines))
        self.assertEqual(self.client.files.retrieve(batch.output_file_id).purpose, "batch_output")

    def test_A5_02_a_refused_line_keeps_the_answer_of_the_engine(self):
        requests = [request("good"), request("bad", "[[fault:status;code=422]]")]
        batch = self.run_batch(jsonl(requests))
        self.assertEqual((batch.status, batch.request_counts.completed, batch.request_counts.failed), ("completed", 1, 1))
        [line] = self.lines(batch.error_file_id)
        self.assertEqual((line["custom_id"], line["error"], line["response"]["status_code"]), ("bad", None, 422))
        self.assertEqual(line["response"]["body"]["error"]["code"], "simulated_fault")

    def test_A1_13_a_batch_of_failed_lines_is_completed(self):
        batch = self.run_batch(jsonl([request("a", "[[fault:status;code=400]]")]))
        self.assertEqual((batch.status, batch.output_file_id), ("completed", None))
        self.assertIsNotNone(batch.error_file_id)

    def test_T13_what_is_not_json_becomes_an_error_line(self):
        faults = ["garbage", "invalid_json", "empty", "invalid_utf8", "deep"]
        batch = self.run_batch(jsonl(request(f, f"[[fault:{f}]]") for f in faults))
        lines = self.lines(batch.error_file_id)
        self.assertEqual([line["custom_id"] for line in lines], faults)
        self.assertEqual({line["error"]["code"] for line in lines}, {"invalid_engine_answer"})

    def test_T11_T15_passing_faults_are_tried_again(self):
        batch = self.run_batch(jsonl([
            request("500 once", "[[fault:status_then_ok;times=1]]"),
            request("429 twice", "[[fault:status_then_ok;times=2;code=429]] b"),
            request("503 once", "[[fault:status_then_ok;times=1;code=503]] c"),
        ]))
        self.assertEqual((batch.request_counts.completed, batch.request_counts.failed), (3, 0))

    def test_answers_keep_their_bytes_but_for_line_ends(self):
        batch = self.run_batch(jsonl([request("crlf", "[[fault:crlf_body]]")]))
        self.assertEqual(len(self.client.files.content(batch.output_file_id).read().splitlines()), 1)

    def test_A3_01_A3_02_a_bad_file_fails_the_batch_with_line_numbers(self):
        bad = jsonl([request("a")]) + b"not json\n[1]\n\n" + jsonl([request("a"), request("c", url="/v1/embeddings")])
        batch = self.run_batch(bad)
        self.assertEqual(batch.status, "failed")
        self.assertIsNotNone(batch.failed_at)
        found = [(e.code, e.line) for e in batch.errors.data]
        self.assertEqual(found, [("invalid_json_line", 2), ("not_an_object", 3), ("duplicate_custom_id", 5)])

    def test_A3_04_a_line_for_another_endpoint_fails_the_batch(self):
        batch = self.run_batch(jsonl([request("a"), request("b", url="/v1/embeddings")]))
        self.assertEqual([(e.code, e.line) for e in batch.errors.data], [("url_mismatch", 2)])

    def test_T34_an_unknown_model_fails_the_batch(self):
        batch = self.run_batch(b"\n" + jsonl([request("a"), request("b", model="nobody")]))
        self.assertEqual([(e.code, e.line) for e in batch.errors.data], [("model_not_found", 3)])

    def test_A3_07_a_hundred_errors_and_how_many_more(self):
        batch = self.run_batch(b"x\n" * 250)
        self.assertEqual(len(batch.errors.data), 101)
        self.assertIn("150", batch.errors.data[-1].message)

    def test_A2_bad_creates_are_refused(self):
        file = self.upload(jsonl([request("a")]))
        for change, param in [({"endpoint": "/v1/nothing"}, "endpoint"), ({"completion_window": "soon"},
                              "completion_window"), ({"metadata": {"k" * 65: "v"}}, "metadata")]:
            with self.assertRaises(openai.BadRequestError) as caught:
                self.create(file.id, **change)
            self.assertEqual(caught.exception.param, param)
        with self.assertRaises(openai.NotFoundError):
            self.create("file-" + "0" * 32)

    def test_A6_batches_are_listed_newest_first_over_pages(self):
        file = self.upload(jsonl([request("a")]))
        ids = [self.create(file.id).id for _ in range(5)]
        listed = [b.id for b in self.client.batches.list(limit=2)]
        self.assertEqual([i for i in listed if i in ids], ids[::-1])
        self.assertEqual(len(listed), len(set(listed)))
        page = self.raw("GET", "/v1/batches?limit=1").json()
        self.assertEqual((page["object"], page["has_more"], page["first_id"]), ("list", True, page["last_id"]))
        for query in ("limit=0", "limit=101", "limit=abc", "after=nonsense"):
            self.assertEqual(self.raw("GET", f"/v1/batches?{query}").status_code, 400, query)

    def test_A2_10_the_same_idempotency_key_gives_the_same_batch(self):
        file = self.upload(jsonl([request("a")]))
        headers = {"Idempotency-Key": "key-1"}
        first, second = (self.create(file.id, extra_headers=headers) for _ in range(2))
        self.assertEqual(first.id, second.id)
        with self.assertRaises(openai.ConflictError):
            self.create(file.id, metadata={"other": "body"}, extra_headers=headers)

    def test_A4_03_a_batch_that_has_ended_cannot_be_cancelled(self):
        batch = self.run_batch(jsonl([request("a")]))
        with self.assertRaises(openai.BadRequestError):
            self.client.batches.cancel(batch.id)

    def test_A7_10_a_batch_keeps_the_bytes_of_a_deleted_input(self):
        file = self.upload(jsonl(request(str(n)) for n in range(2_000)))
        batch = self.create(file.id)
        wait_for(lambda: self.client.batches.retrieve(batch.id).status != "validating", "validation")
        self.client.files.delete(file.id)
        self.assertEqual(self.wait(batch.id).request_counts.completed, 2_000)

    def test_models_are_those_of_the_engine(self):
        self.assertEqual([m.id for m in self.client.models.list()], [MODEL])

    def test_A9_04_wrong_paths_and_methods_get_error_objects(self):
        for method, path, status in [("GET", "/nowhere", 404), ("PUT", "/v1/files", 405), ("DELETE", "/v1/batches", 405)]:
            answer = self.raw(method, path)
            self.assertEqual(answer.status_code, status)
            self.assertEqual(set(answer.json()["error"]), {"message", "type", "param", "code"})

    def test_the_command_line_tool_submits_watches_and_fetches(self):
        path = self.services.path
        (path / "in.jsonl").write_bytes(jsonl([request("a"), request("b", "[[fault:status;code=400]]")]))
        tool = lambda *a: subprocess.run([BIN / "backfill", *a, "--gateway", self.services.url], cwd=path,
                                         capture_output=True, text=True)
        batch = tool("submit", "in.jsonl").stdout.strip()
        watched = tool("watch", batch)
        self.assertEqual(watched.returncode, 1, watched)
        self.assertIn("1 completed, 1 failed", watched.stdout)
        self.assertEqual(tool("fetch", batch, "-o", "out.jsonl").returncode, 0)
        self.assertEqual(json.loads((path / "out.jsonl").read_text())["custom_id"], "a")
        self.assertEqual(json.loads((path / "out.errors.jsonl").read_text())["custom_id"], "b")
        self.assertIn(batch, tool("list").stdout)


class Engine(Case):
    """The simulated engine itself, which the quick start and the benchmarks use too."""

    def setUp(self):
        self.engine = OpenAI(base_url=f"http://{self.services.engine_address}/v1", api_key="none", max_retries=0)

    def test_a_stream_has_the_tokens_of_the_whole_answer(self):
        question = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me"}]}
        whole = self.engine.chat.completions.create(**question)
        chunks = list(self.engine.chat.completions.create(
            **question, stream=True, stream_options={"include_usage": True}
        ))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertGreaterEqual(len(chunks), whole.usage.completion_tokens)
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_completions_and_embeddings_are_deterministic(self):
        texts = {self.engine.completions.create(model=MODEL, prompt="Once").choices[0].text for _ in range(2)}
        self.assertEqual(len(texts), 1)
        vectors = [self.engine.embeddings.create(model=MODEL, input=["a", "b"]).data for _ in range(2)]
        self.assertEqual(vectors[0][1].embedding, vectors[1][1].embedding)
        self.assertNotEqual(vectors[0][0].embedding, vectors[0][1].embedding)


class SlowEngine(Case):
    engine_arguments = ("--time-to-first-token", "300ms", "--slots", "8")

    def test_A4_02_a_cancelled_batch_keeps_what_is_done(self):
        batch = self.create(self.upload(jsonl(request(str(n)) for n in range(500))).id)
        wait_for(lambda: self.client.batches.retrieve(batch.id).request_counts.completed > 0, "the first answers")
        cancelling = self.client.batches.cancel(batch.id)
        self.assertEqual(cancelling.status, "cancelling")
        self.assertIsNotNone(cancelling.cancelling_at)
        ended = self.wait(batch.id)
        self.assertEqual(ended.status, "cancelled")
        done, left = self.lines(ended.output_file_id), self.lines(ended.error_file_id)
        self.assertEqual(len(done), ended.request_counts.completed)
        self.assertEqual(sorted(int(x["custom_id"]) for x in done + left), list(range(500)))
        self.assertEqual({x["error"]["code"] for x in left}, {"batch_cancelled"})

    def test_I14_a_small_batch_is_not_held_up_by_a_large_one(self):
        large = self.create(self.upload(jsonl(request(f"l{n}") for n in range(2_000))).id)
        small = self.create(self.upload(jsonl(request(f"s{n}") for n in range(5))).id)
        self.assertEqual(self.wait(small.id).request_counts.completed, 5)
        self.assertEqual(self.client.batches.retrieve(large.id).status, "in_progress")
        self.client.batches.cancel(large.id)
        self.wait(large.id)


class Outages(unittest.TestCase):
    def test_an_engine_that_is_down_is_waited_for_and_said_so(self):
        services = Services()
        self.addCleanup(services.stop)
        engine = services.engine
        engine.terminate()
        client = OpenAI(base_url=services.url + "/v1", api_key="none")
        file = client.files.create(file=("a.jsonl", jsonl([request("a"), request("b")])), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")

        def reason():
            found = client.batches.retrieve(batch.id)
            return (found.model_extra or {}).get("backfill", {}).get("waiting_reason")

        self.assertIn(engine.address, wait_for(reason, "the reason"))
        services.start("backfill-engine-simulator", "--listen", engine.address)
        ended = wait_for(lambda: (b := client.batches.retrieve(batch.id)).status in TERMINAL and b, "the end")
        self.assertEqual((ended.status, ended.request_counts.completed), ("completed", 2))

    def test_I07_a_killed_scheduler_goes_on_with_the_unfinished_lines(self):
        services = Services(engine=("--time-to-first-token", "50ms", "--slots", "32"), scheduler=("--engine-concurrency", 32))
        self.addCleanup(services.stop)
        client = OpenAI(base_url=services.url + "/v1", api_key="none")
        lines = 1_500
        file = client.files.create(file=("a.jsonl", jsonl(request(f"n{n}") for n in range(lines))), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        wait_for(lambda: client.batches.retrieve(batch.id).request_counts.completed > 200, "some answers")
        services.scheduler.kill()
        services.gateway.terminate()
        services.start_pair()
        client = OpenAI(base_url=services.url + "/v1", api_key="none")
        ended = wait_for(lambda: (b := client.batches.retrieve(batch.id)).status in TERMINAL and b, "the end")
        self.assertEqual((ended.status, ended.request_counts.completed), ("completed", lines))
        output = client.files.content(ended.output_file_id).read().decode().splitlines()
        self.assertEqual([json.loads(x)["custom_id"] for x in output], [f"n{n}" for n in range(lines)])
        ran = len(services.witness.read_text().splitlines())
        # What was at the engine or not yet committed at the kill runs again, and nothing else.
        self.assertLessEqual(ran, lines + 2 * 32)

    def test_readyz_tells_whether_a_scheduler_answers(self):
        services = Services()
        self.addCleanup(services.stop)
        client = OpenAI(base_url=services.url + "/v1", api_key="none", max_retries=0)
        get = lambda path: client._client.get(services.url + path).status_code
        wait_for(lambda: get("/readyz") == 200, "readiness")
        services.scheduler.terminate()
        wait_for(lambda: get("/readyz") == 503, "unreadiness")
        self.assertEqual(get("/healthz"), 200)
        with self.assertRaises(openai.InternalServerError):
            client.batches.list()


class EmbeddedRun(unittest.TestCase):
    # What the tool itself says on standard error: how the batch gets on.
    PROGRESS = re.compile(r"(validating|in_progress|finalizing|cancelling|cancelled|completed) \d+/\d+(, .*)?")

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="backfill-")
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)

    def start(self, lines, *arguments):
        (self.path / "in.jsonl").write_bytes(jsonl(request(str(n)) for n in range(lines)))
        process = subprocess.Popen(
            [BIN / "backfill", "run", "-i", "in.jsonl", "-o", "out.jsonl", *arguments], cwd=self.path,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def assert_only_progress(self, errors):
        self.assertEqual([line for line in errors.splitlines() if not self.PROGRESS.fullmatch(line)], [])

    def test_run_does_a_file_in_one_process(self):
        process = self.start(50)
        output, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("simulator", output)
        self.assertEqual(len((self.path / "out.jsonl").read_text().splitlines()), 50)
        self.assert_only_progress(errors)

    def test_an_interrupt_cancels_the_batch_and_ends_in_order(self):
        engine = Program("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--time-to-first-token", "10m",
                         log=self.path / "engine.log")
        self.addCleanup(engine.kill)
        process = self.start(3, "--engine", f"http://{engine.address}")
        began = []
        while not any(line.startswith("in_progress") for line in began):
            line = process.stderr.readline()
            self.assertTrue(line, began)
            began.append(line)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, errors)
        self.assertRegex(output, r"cancelled: 0 completed")
        cancelled = [json.loads(line) for line in (self.path / "out.errors.jsonl").read_text().splitlines()]
        self.assertEqual({line["error"]["code"] for line in cancelled}, {"batch_cancelled"})
        self.assertEqual(len(cancelled), 3)
        self.assert_only_progress("".join(began) + errors)

    def test_unknown_flags_are_refused_with_a_suggestion(self):
        run = subprocess.run([BIN / "backfill-scheduler", "--engin-concurrency", "3"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 2)
        self.assertIn("did you mean --engine-concurrency?", run.stderr)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
