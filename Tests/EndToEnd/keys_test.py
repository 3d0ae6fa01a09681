"""API keys, tenants and limits at the gateway, with the official SDK and the real programs."""

import hashlib
import json
import pathlib
import socket
import subprocess
import tempfile
import unittest

import httpx
import openai
from openai import OpenAI

from raw_http import connect, everything
from sdk_test import jsonl, request
from services import BIN, DidNotStart, Services, wait_for


def entry(key, name, tenant, **more):
    digest = hashlib.sha256(key.encode()).hexdigest()
    fields = {"key": f"sha256:{digest}", "name": name, "tenant": tenant, **more}
    return "  - " + "\n    ".join(f'{name}: "{value}"' for name, value in fields.items()) + "\n"


class KeyedServices(Services):
    """The services with API keys; the files may be changed while they run."""

    keys = {"acme": "sk-bf-acme", "other": "sk-bf-other", "hourly": "sk-bf-hourly"}

    def __init__(self, *, limits=None, **options):
        self.limits = limits
        super().__init__(**options)

    def start_scheduler(self, **options):
        if self.limits:
            self.write_limits(self.limits)
            self.scheduler_arguments = ("--limits", self.limits_file)
        return super().start_scheduler(**options)

    @property
    def limits_file(self):
        return self.path / "limits.yaml"

    def write_limits(self, text):
        new = self.path / "limits.new"
        new.write_text(text)
        new.chmod(0o600)
        new.rename(self.limits_file)

    def start_gateway(self, *schedulers, arguments=(), listen="127.0.0.1:0"):
        self.key_file = self.path / "keys.yaml"
        if not self.key_file.exists():
            self.write_keys(*(entry(key, f"key-of-{tenant}", tenant) for tenant, key in self.keys.items()))
        return self.start(
            "backfill-gateway", "--listen", listen, "--scheduler", ",".join(s.address for s in schedulers),
            "--keys", self.key_file, *(("--limits", self.limits_file) if self.limits else ()),
            *self.gateway_arguments, *arguments,
        )

    def write_keys(self, *entries):
        new = self.path / "keys.new"
        new.write_text("keys:\n" + "".join(entries))
        new.chmod(0o600)
        new.rename(self.key_file)

    def log(self, program="backfill-gateway"):
        return (self.path / f"{program}.log").read_text()

    def client(self, key, **options):
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, **{"max_retries": 0, **options})


class Case(unittest.TestCase):
    services_options = {}

    @classmethod
    def setUpClass(cls):
        cls.services = KeyedServices(**cls.services_options)
        cls.acme = cls.services.client(KeyedServices.keys["acme"])
        cls.other = cls.services.client(KeyedServices.keys["other"])

    @classmethod
    def tearDownClass(cls):
        log = cls.services.log() + cls.services.log("backfill-scheduler")
        codes = cls.services.stop()
        assert set(codes.values()) == {0}, f"exit codes after SIGTERM: {codes}"
        assert "sk-bf-" not in log, "a key is in a log"

    def raw(self, method, path, **options):
        return httpx.request(method, self.services.url + path, **options)

    def upload(self, client, content=jsonl([request("a")])):
        return client.files.create(file=("input.jsonl", content), purpose="batch")

    def create(self, client, file_id, **more):
        return client.batches.create(
            input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", **more)


class Keys(Case):
    ROUTES = [
        ("GET", "/v1/files"), ("POST", "/v1/files"), ("GET", "/v1/files/file-1"), ("DELETE", "/v1/files/file-1"),
        ("GET", "/v1/files/file-1/content"), ("GET", "/v1/batches"), ("POST", "/v1/batches"),
        ("GET", "/v1/batches/batch_1"), ("POST", "/v1/batches/batch_1/cancel"), ("GET", "/v1/models"),
        ("GET", "/v1/models/m"), ("POST", "/v1/chat/completions"), ("POST", "/v1/uploads"), ("GET", "/nowhere"),
        ("PATCH", "/v1/files"),
    ]

    def test_A9_03_every_route_asks_for_a_key(self):
        for method, path in self.ROUTES:
            for headers in ({}, {"authorization": "Bearer sk-bf-wrong"}, {"authorization": "Basic sk-bf-acme"}):
                with self.subTest(method=method, path=path, headers=headers):
                    answer = self.raw(method, path, headers=headers)
                    error = answer.json()["error"]
                    self.assertEqual((answer.status_code, error["code"], error["type"]),
                                     (401, "invalid_api_key", "authentication_error"))
                    self.assertEqual(answer.headers["www-authenticate"], "Bearer")
                    self.assertTrue(answer.headers["x-request-id"])

    def test_A9_03_without_a_key_nothing_else_is_told_and_nothing_of_a_body_is_asked_for(self):
        json_type = "content-type: application/json"
        for path, fields in (
            ("/v1/nowhere", [json_type, "content-length: 2"]), ("/v1/models", ["content-length: 2"]),
            ("/v1/files", [json_type, "content-length: 2"]),
            ("/v1/chat/completions", ["content-type: text/plain", "content-length: 2"]),
            ("/v1/chat/completions", [json_type, "content-length: 99999999999"]),
            ("/v1/files", ["content-type: multipart/form-data; boundary=x", "content-length: 99999999999"]),
            ("/v1/responses", [json_type, "content-length: 5", "expect: 100-continue"]),
            ("/v1/embeddings", [json_type, "transfer-encoding: chunked"]),
        ):
            for key in ([], ["authorization: Bearer sk-bf-wrong"]):
                with self.subTest(path=path, fields=fields, key=key), connect(self.services.gateway) as connection:
                    lines = [f"POST {path} HTTP/1.1", "host: a", *fields, *key, "", ""]
                    connection.sendall("\r\n".join(lines).encode())
                    # The answer comes and the connection ends although no byte of the body was sent.
                    answer = everything(connection)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 401 "), answer)
                    self.assertIn(b'"code":"invalid_api_key"', answer)

    def test_A9_04_with_a_key_what_is_wrong_with_the_head_is_told(self):
        key = {"authorization": "Bearer " + self.services.keys["acme"]}
        for path, status in (("/v1/nowhere", 404), ("/v1/models", 405), ("/v1/files", 415),
                             ("/v1/chat/completions", 415)):
            answer = self.raw("POST", path, content=b"{}", headers={**key, "content-type": "text/plain"})
            self.assertEqual(answer.status_code, status, path)
        answer = self.raw("POST", "/healthz", content=b"{}")
        self.assertEqual(answer.status_code, 405)

    def test_probes_need_no_key(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.raw("GET", path).status_code, 200, path)

    def test_A9_02_the_sdk_knows_what_is_wrong(self):
        self.assertEqual(self.acme.models.list().data[0].id, "simulated-model")
        with self.assertRaises(openai.AuthenticationError) as wrong:
            self.services.client("sk-bf-wrong").models.list()
        self.assertEqual(wrong.exception.code, "invalid_api_key")

    def test_A9_03_headers_of_another_organization_or_project_are_refused(self):
        for option, code in (("organization", "mismatched_organization"), ("project", "mismatched_project")):
            client = self.services.client(self.services.keys["acme"], **{option: "not/mine"})
            with self.assertRaises(openai.AuthenticationError) as refused:
                client.models.list()
            self.assertEqual(refused.exception.code, code)
        self.services.client(self.services.keys["acme"], organization="acme").models.list()

    def test_A6_06_another_tenants_object_is_a_404_as_one_that_never_was(self):
        file = self.upload(self.acme)
        batch = self.create(self.acme, file.id)
        routes = [
            ("GET", "/v1/files/{file}"), ("DELETE", "/v1/files/{file}"), ("GET", "/v1/files/{file}/content"),
            ("GET", "/v1/batches/{batch}"), ("POST", "/v1/batches/{batch}/cancel"),
            ("POST", "/v1/batches"),
        ]
        never = {"file": "file-" + "0" * 32, "batch": "batch_" + "0" * 32}
        theirs = {"file": file.id, "batch": batch.id}
        for method, path in routes:
            with self.subTest(method=method, path=path):
                answers = []
                for ids in (theirs, never):
                    body = {"input_file_id": ids["file"], "endpoint": "/v1/chat/completions",
                            "completion_window": "24h"} if path == "/v1/batches" else None
                    answer = self.raw(method, path.format(**ids), json=body,
                                      headers={"authorization": "Bearer " + self.services.keys["other"]})
                    text = answer.text
                    for name in ids.values():
                        text = text.replace(name, "ID")
                    answers.append((answer.status_code, text))
                self.assertEqual(answers[0][0], 404, answers)
                self.assertEqual(answers[0], answers[1])
        self.assertEqual(self.acme.files.retrieve(file.id).id, file.id)

    def test_A6_06_lists_show_the_tenants_own(self):
        file = self.upload(self.acme)
        batch = self.create(self.acme, file.id)
        self.assertIn(file.id, [f.id for f in self.acme.files.list()])
        self.assertIn(batch.id, [b.id for b in self.acme.batches.list()])
        self.assertNotIn(file.id, [f.id for f in self.other.files.list()])
        self.assertNotIn(batch.id, [b.id for b in self.other.batches.list()])
        mine = {f.id for f in self.acme.files.list()}
        self.assertEqual([f.id for f in self.other.files.list(after=file.id) if f.id in mine], [])

    def test_lists_of_a_project_show_its_own(self):
        search, ads = (self.services.client(self.services.keys["acme"], project=name) for name in ("search", "ads"))
        file = self.upload(search)
        batch = self.create(search, file.id)
        inline = search.post("/batches", cast_to=object, body={
            "endpoint": "/v1/chat/completions", "completion_window": "24h",
            "requests": [{"body": {"model": "simulated-model", "messages": []}}]})
        made = self.upload_in_parts(search).file
        self.create(ads, self.upload(ads).id)
        wait_for(lambda: search.batches.retrieve(batch.id).status == "completed", "the batch's end")
        output = search.batches.retrieve(batch.id).output_file_id
        self.assertTrue({file.id, made.id, output, inline["input_file_id"]} <= {f.id for f in search.files.list(limit=2)})
        self.assertEqual({b.id for b in search.batches.list(limit=1)}, {batch.id, inline["id"]})
        self.assertFalse({file.id, made.id, output, inline["input_file_id"]} & {f.id for f in ads.files.list()})
        self.assertEqual(len(list(ads.batches.list())), 1)
        everything = [b.id for b in self.acme.batches.list(limit=2)]
        self.assertTrue({batch.id, inline["id"]} < set(everything))
        self.assertEqual(self.acme.files.retrieve(file.id).id, file.id)

    def upload_in_parts(self, client, content=jsonl([request("a")])):
        upload = client.uploads.create(
            filename="input.jsonl", purpose="batch", bytes=len(content), mime_type="application/jsonl")
        part = client.uploads.parts.create(upload.id, data=content)
        return client.uploads.complete(upload.id, part_ids=[part.id])

    def test_A6_06_an_upload_in_parts_is_its_tenants_own(self):
        content = jsonl([request("a")])
        upload = self.acme.uploads.create(
            filename="input.jsonl", purpose="batch", bytes=len(content), mime_type="application/jsonl")
        part = self.acme.uploads.parts.create(upload.id, data=content)
        never = "upload_" + "0" * 32
        json_body = {"part_ids": [part.id]}
        routes = [
            ("GET", "", {}), ("POST", "/parts", {"files": {"data": b"x"}}), ("POST", "/complete", {"json": json_body}),
            ("POST", "/cancel", {}),
        ]
        for method, path, body in routes:
            with self.subTest(method=method, path=path):
                answers = []
                for id_ in (upload.id, never):
                    answer = self.raw(method, f"/v1/uploads/{id_}{path}", **body,
                                      headers={"authorization": "Bearer " + self.services.keys["other"]})
                    answers.append((answer.status_code, answer.text.replace(id_, "ID")))
                self.assertEqual(answers[0][0], 404, answers)
                self.assertEqual(answers[0], answers[1])
        # Nor does a part of somebody else's make a file of one's own.
        theirs = self.other.uploads.create(
            filename="input.jsonl", purpose="batch", bytes=len(content), mime_type="application/jsonl")
        with self.assertRaises(openai.BadRequestError) as refused:
            self.other.uploads.complete(theirs.id, part_ids=[part.id])
        self.assertEqual(refused.exception.code, "part_not_found")
        done = self.acme.uploads.complete(upload.id, part_ids=[part.id])
        self.assertEqual(self.acme.files.retrieve(done.file.id).filename, "input.jsonl")
        self.assertNotIn(done.file.id, [f.id for f in self.other.files.list()])
        self.assertEqual(self.raw("GET", f"/v1/files/{done.file.id}", headers={
            "authorization": "Bearer " + self.services.keys["other"]}).status_code, 404)

    def test_A2_10_idempotency_keys_are_the_tenants_own(self):
        batches = []
        for client in (self.acme, self.other):
            file = self.upload(client)
            batches.append(self.create(client, file.id, extra_headers={"Idempotency-Key": "same"}))
        self.assertNotEqual(batches[0].id, batches[1].id)


class RequestIDs(Case):
    services_options = {"scheduler": ("--log-level", "info")}

    def test_A9_06_a_requests_id_is_in_the_logs_of_both_services_and_the_batchs_at_the_engine(self):
        file = self.upload(self.acme, jsonl([request("a"), request("b")]))
        batch = self.create(self.acme, file.id, extra_headers={"x-request-id": "the-create"})
        wait_for(lambda: self.acme.batches.retrieve(batch.id).status == "completed", "the batch's end")
        created = [line for line in self.services.log("backfill-scheduler").splitlines() if "was created" in line]
        self.assertEqual(len(created), 1)
        for part in (f"batch={batch.id}", "tenant=acme", "request_id=the-create"):
            self.assertIn(part, created[0])
        audit = [line for line in self.services.log().splitlines() if "request_id=the-create" in line]
        self.assertIn(f"object={batch.id}", audit[0])
        seen = {json.loads(line)["id"] for line in self.services.witness.read_text().splitlines()}
        digits = batch.id.removeprefix("batch_")
        self.assertEqual(seen, {f"batch_req_{digits}{line:08x}" for line in range(2)})


class Reload(Case):
    def accepted(self, key):
        return self.raw("GET", "/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == 200

    def test_changed_keys_are_in_force_without_a_restart(self):
        mine = entry(self.services.keys["acme"], "a", "acme")
        self.services.write_keys(mine, entry("sk-bf-new", "b", "acme"))
        wait_for(lambda: self.accepted("sk-bf-new"), "the new key")
        self.assertTrue(self.accepted(self.services.keys["acme"]))
        self.assertFalse(self.accepted(self.services.keys["other"]))

        self.services.key_file.write_text("keys:\n  - key: sk-bf-plain\n    name: a\n    tenant: b\n")
        wait_for(lambda: "keys.yaml:2: 'key' takes sha256:" in self.services.log(), "the complaint")
        self.assertTrue(self.accepted("sk-bf-new"))

        self.services.write_keys(mine)
        wait_for(lambda: not self.accepted("sk-bf-new"), "the end of the key that was taken away")
        self.assertEqual(self.services.log().count("cannot be used"), 1)

    def test_a_file_that_others_can_read_is_warned_about(self):
        self.services.key_file.chmod(0o644)
        wait_for(lambda: "others can read the file" in self.services.log(), "the warning")


def headers_of(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}


class Rates(Case):
    services_options = {"limits": """
        tenants:
          acme: {requests_per_minute: 60}
          other: {requests_per_minute: 60000, concurrent_requests: 1}
    """}

    def get(self, tenant, path="/v1/models"):
        return self.raw("GET", path, headers={"authorization": "Bearer " + self.services.keys[tenant]})

    def test_A9_05_the_sdk_waits_as_long_as_it_is_told(self):
        refused = None
        for _ in range(600):
            answer = self.get("acme")
            self.assertEqual(headers_of(answer)["x-ratelimit-limit-requests"], "60")
            if answer.status_code != 200:
                refused = answer
                break
        self.assertEqual((refused.status_code, refused.json()["error"]["code"]), (429, "rate_limit_exceeded"))
        self.assertEqual((refused.headers["retry-after"], headers_of(refused)["x-ratelimit-remaining-requests"]),
                         ("1", "0"))
        self.assertLessEqual(int(refused.headers["retry-after-ms"]), 1000)
        with self.assertRaises(openai.RateLimitError):
            for _ in range(60):
                self.acme.models.list()
        # One more is let in a second later, which is what the answer says and what the SDK waits for.
        self.services.client(self.services.keys["acme"], max_retries=3).models.list()
        # Another tenant is not concerned, and neither are probes.
        self.assertEqual(self.get("other").status_code, 200)
        self.assertEqual(self.raw("GET", "/healthz").status_code, 200)

    def test_A9_06_every_answer_tells_where_the_tenant_stands(self):
        for path, status in (("/v1/models", 200), ("/v1/files/file-1", 404), ("/nowhere", 404)):
            answer = self.get("other", path)
            self.assertEqual(answer.status_code, status)
            self.assertEqual(set(headers_of(answer)), {
                "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"})
        self.assertEqual(headers_of(self.raw("GET", "/v1/models")), {})

    def test_requests_at_a_time_are_bounded_until_they_end(self):
        url = self.services.gateway.address
        host, port = url.split(":")
        body = b"--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer "
                         + self.services.keys["other"].encode() + b"\r\ncontent-length: 1000\r\n"
                         b"content-type: multipart/form-data; boundary=x\r\n\r\n" + body)
            wait_for(lambda: self.get("other").status_code == 429, "the upload to be under way")
            answer = self.get("other")
            self.assertIn("1 requests at a time", answer.json()["error"]["message"])
        wait_for(lambda: self.get("other").status_code == 200, "the upload that was given up to end")


class Tokens(Case):
    """A limit that what is expected of a request is below, and what its answer has used is above. Little of it comes back
    while a test runs."""

    LIMIT = 70
    services_options = {"limits": f"""
        tenants:
          acme: {{tokens_per_minute: {LIMIT}}}
          other: {{tokens_per_minute: {LIMIT}}}
          hourly: {{tokens_per_minute: {LIMIT}}}
    """}

    def chat(self, tenant, *, chunked=False, **more):
        body = json.dumps({"model": "simulated-model", "messages": [{"role": "user", "content": "Hello"}], **more}).encode()
        key = {"authorization": "Bearer " + self.services.keys[tenant], "content-type": "application/json"}
        answer = self.raw("POST", "/v1/chat/completions", headers=key, content=iter([body]) if chunked else body)
        return answer, -(-len(body) // 4)

    def assert_more_was_used(self, tenant, answer, expected, used):
        self.assertEqual((answer.status_code, headers_of(answer)["x-ratelimit-remaining-tokens"]),
                         (200, str(self.LIMIT - expected)))
        # After what was expected another such request would be let in.
        self.assertLessEqual(2 * expected, self.LIMIT)
        self.assertGreater(used, self.LIMIT)
        refused, _ = self.chat(tenant)
        self.assertEqual((refused.status_code, refused.json()["error"]["code"]), (429, "rate_limit_exceeded"))
        self.assertEqual(headers_of(refused)["x-ratelimit-remaining-tokens"], "0")

    def test_A9_05_what_an_answer_has_used_counts(self):
        answer, expected = self.chat("acme", user="x" * 36)
        self.assert_more_was_used("acme", answer, expected, answer.json()["usage"]["total_tokens"])

    def test_A9_05_what_a_stream_has_used_counts(self):
        answer, expected = self.chat("other", stream=True, stream_options={"include_usage": True})
        events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: {")]
        self.assert_more_was_used("other", answer, expected, events[-1]["usage"]["total_tokens"])

    def test_A9_05_an_estimate_that_was_too_high_is_given_back(self):
        # Without a length a body is taken for a long one.
        answer, _ = self.chat("hourly", chunked=True, max_tokens=1)
        self.assertEqual((answer.status_code, headers_of(answer)["x-ratelimit-remaining-tokens"]), (200, "0"))
        again, _ = self.chat("hourly")
        self.assertEqual(again.status_code, 200, again.text)


class Quotas(Case):
    INPUT = jsonl([request("a")])
    services_options = {"limits": f"""
        tenants:
          acme: {{stored_bytes: {2 * len(INPUT)}}}
          hourly: {{batches_per_hour: 3}}
          other: {{enqueued_requests: 3, enqueued_tokens: 1000}}
    """, "engine": ("--time-to-first-token", "60s")}

    def test_stored_bytes_are_exact_over_gateways_and_deleting_makes_room(self):
        second = self.services.start_gateway(self.services.scheduler)
        elsewhere = OpenAI(base_url=f"http://{second.address}/v1", api_key=self.services.keys["acme"], max_retries=0)
        files = [self.upload(self.acme, self.INPUT), self.upload(elsewhere, self.INPUT)]
        for client in (self.acme, elsewhere):
            with self.assertRaises(openai.RateLimitError) as refused:
                self.upload(client, self.INPUT)
            self.assertEqual((refused.exception.code, refused.exception.type),
                             ("insufficient_quota", "insufficient_quota"))
            # Asking again would not help, and the SDK does not.
            self.assertEqual(refused.exception.response.headers["x-should-retry"], "false")
            self.assertTrue(refused.exception.response.headers["retry-after"])
        self.acme.files.delete(files[0].id)
        files[0] = self.upload(elsewhere, self.INPUT)
        for file in files:
            self.acme.files.delete(file.id)
        self.assertEqual(second.terminate(), 0)

    def test_A2_09_batches_are_counted_over_gateways(self):
        second = self.services.start_gateway(self.services.scheduler)
        elsewhere = OpenAI(base_url=f"http://{second.address}/v1", api_key=self.services.keys["hourly"], max_retries=0)
        here = self.services.client(self.services.keys["hourly"])
        file = self.upload(here, self.INPUT)
        for client in (here, elsewhere, here):
            self.create(client, file.id)
        with self.assertRaises(openai.RateLimitError) as refused:
            self.create(elsewhere, file.id)
        self.assertEqual(refused.exception.code, "rate_limit_exceeded")
        wait = int(refused.exception.response.headers["retry-after"])
        self.assertTrue(3_000 < wait <= 3_600, wait)
        self.assertEqual(second.terminate(), 0)

    def test_A2_09_a_batch_over_the_enqueued_limit_fails(self):
        def run(content):
            batch = self.create(self.other, self.upload(self.other, content).id)
            wait_for(lambda: self.other.batches.retrieve(batch.id).status != "validating", "the validation")
            return self.other.batches.retrieve(batch.id)

        first = run(jsonl([request("a"), request("b")]))
        self.assertEqual(first.status, "in_progress")
        second = run(jsonl([request("a"), request("b")]))
        self.assertEqual((second.status, [e.code for e in second.errors.data]), ("failed", ["request_limit_exceeded"]))
        third = run(jsonl([request("a", "x" * 4_000)]))
        self.assertEqual((third.status, [(e.code, e.line, e.param) for e in third.errors.data]),
                         ("failed", [("token_limit_exceeded", None, None)]))
        self.other.batches.cancel(first.id)
        wait_for(lambda: self.other.batches.retrieve(first.id).status == "cancelled", "the end of the first")
        self.assertEqual(run(jsonl([request("a"), request("b"), request("c")])).status, "in_progress")


class Audit(Case):
    services_options = {"gateway": ("--audit-log", "")}

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="backfill-audit-")
        cls.file = pathlib.Path(cls.directory.name) / "audit.jsonl"
        cls.services_options = {"gateway": ("--audit-log", cls.file)}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        text = cls.file.read_text()
        cls.directory.cleanup()
        assert "sk-bf-" not in text and "simulated-model" not in text, "a key or a payload is in the audit log"

    def entries(self, request_id):
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [line for line in lines if line["request_id"] == request_id]

    def entry(self, answer):
        return wait_for(lambda: self.entries(answer.headers["x-request-id"]), "the entry")[0]

    def test_every_change_is_written_with_who_and_what_and_what_came_of_it(self):
        files, batches = self.acme.files.with_raw_response, self.acme.batches.with_raw_response
        created = files.create(file=("a.jsonl", jsonl([request("a")])), purpose="batch")
        file_id = json.loads(created.text)["id"]
        entry = self.entry(created)
        self.assertRegex(entry.pop("time"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")
        self.assertEqual(entry, {
            "action": "file.create", "object": file_id, "outcome": "done", "status": 200, "tenant": "acme",
            "project": None, "key": "key-of-acme", "method": "POST", "request_id": created.headers["x-request-id"]})
        batch = batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
        batch_id = json.loads(batch.text)["id"]
        self.assertEqual((self.entry(batch)["action"], self.entry(batch)["object"]), ("batch.create", batch_id))
        deleted = files.delete(file_id)
        self.assertEqual((self.entry(deleted)["action"], self.entry(deleted)["object"]), ("file.delete", file_id))
        wait_for(lambda: self.acme.batches.retrieve(batch_id).status == "completed", "the batch's end")
        for method, path, action in (("POST", f"/v1/batches/{batch_id}/cancel", "batch.cancel"),
                                     ("POST", f"/v1/batches/{batch_id}/retry", "batch.retry")):
            answer = self.raw(method, path, headers={"authorization": "Bearer " + self.services.keys["other"]})
            self.assertEqual([self.entry(answer)[n] for n in ("action", "object", "outcome", "status", "tenant")],
                             [action, batch_id, "refused", 404, "other"])

    def test_reads_are_not_written(self):
        answer = self.acme.files.with_raw_response.list()
        marker = self.acme.files.with_raw_response.create(file=("a", b"{}"), purpose="batch")
        self.entry(marker)
        self.assertEqual(self.entries(answer.headers["x-request-id"]), [])

    def test_a_client_that_goes_away_does_not_escape(self):
        host, port = self.services.gateway.address.split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"DELETE /v1/files/file-" + b"0" * 32 + b" HTTP/1.1\r\nhost: a\r\nx-request-id: gone\r\n"
                           b"authorization: Bearer " + self.services.keys["acme"].encode() + b"\r\n\r\n")
        wait_for(lambda: self.entries("gone"), "the entry")

    def test_a_file_that_was_moved_away_is_made_again(self):
        self.entry(self.acme.files.with_raw_response.create(file=("a", b"{}"), purpose="batch"))
        self.file.rename(self.file.with_suffix(".1"))
        answer = self.acme.files.with_raw_response.create(file=("a", b"{}"), purpose="batch")
        wait_for(self.file.exists, "the new file")
        self.assertEqual(self.entry(answer)["outcome"], "done")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        old = self.file.with_suffix(".1").read_text()
        self.file.write_text(old + self.file.read_text())

    def test_without_a_file_entries_are_in_the_log(self):
        gateway = self.services.start(
            "backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", self.services.scheduler.address,
            "--keys", self.services.key_file)
        client = OpenAI(base_url=f"http://{gateway.address}/v1", api_key=self.services.keys["acme"])
        file = client.files.create(file=("a", b"{}"), purpose="batch")
        wait_for(lambda: [line for line in self.services.log().splitlines() if "backfill-gateway.audit" in line
                          and "action=file.create" in line and f"object={file.id}" in line], "the line")
        self.assertEqual(gateway.terminate(), 0)


class Tool(Case):
    def test_the_tool_makes_a_key_that_the_gateway_takes(self):
        made = subprocess.run(
            [BIN / "backfill", "keys", "create", "--tenant", "acme", "--name", "made", "--expires", "2099-01-01",
             "--file", self.services.key_file], check=True, capture_output=True, text=True)
        key = made.stdout.strip()
        self.assertRegex(key, r"^sk-bf-[0-9A-Za-z]{43}$")
        self.assertNotIn(key, self.services.key_file.read_text())
        client = self.services.client(key)

        def listed():
            try:
                return client.models.list().data
            except openai.AuthenticationError:
                return None

        wait_for(listed, "the new key")

    def test_without_a_file_the_entry_is_printed(self):
        made = subprocess.run([BIN / "backfill", "keys", "create", "--tenant", "acme", "--name", "made"],
                              check=True, capture_output=True, text=True)
        digest = hashlib.sha256(made.stdout.strip().encode()).hexdigest()
        self.assertEqual(made.stderr,
                         f'keys:\n  - key: "sha256:{digest}"\n    name: "made"\n    tenant: "acme"\n')

    def test_a_bad_name_is_refused(self):
        made = subprocess.run([BIN / "backfill", "keys", "create", "--tenant", "a b", "--name", "made"],
                              capture_output=True, text=True)
        self.assertEqual((made.returncode, made.stdout), (2, ""))
        self.assertIn("'tenant' takes 1 to 64 letters", made.stderr)


class Addresses(Case):
    def test_keys_go_over_plaintext_off_loopback_only_if_asked_for(self):
        with self.assertRaises(DidNotStart) as refused:
            self.services.start_gateway(self.services.scheduler, listen="0.0.0.0:0")
        self.assertIn("--allow-plaintext-http", str(refused.exception))
        gateway = self.services.start_gateway(
            self.services.scheduler, listen="0.0.0.0:0", arguments=("--allow-plaintext-http",))
        self.assertEqual(gateway.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
