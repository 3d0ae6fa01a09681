"""Online requests against the real pair of services: the stock OpenAI SDK, raw clients, and engines that break off."""

import base64
import email.utils
import itertools
import json
import re
import socket
import struct
import threading
import unittest

import httpx
import openai
from openai import OpenAI

from raw_engine import RawEngine, Reply, answer
from services import Services, wait_for
from tls_test import SecureServices

MODEL = "simulated-model"
CHAT = "/v1/chat/completions"
TERMINAL = {"completed", "failed", "expired", "cancelled"}
EVENTS_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MIB = 1 << 20


def question(prompt="Hello", **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **more}


def chunk(data):
    """A piece of a chunked HTTP body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(text):
    return b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,' \
           b'"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text.encode()


class Case(unittest.TestCase):
    arguments = {}

    @classmethod
    def make_services(cls):
        return Services(**cls.arguments)

    @classmethod
    def setUpClass(cls):
        cls.services = cls.make_services()
        cls.addClassCleanup(cls.services.stop)
        cls.client = OpenAI(base_url=cls.services.url + "/v1", api_key="none", max_retries=0)
        wait_for(lambda: cls.post(question()).status_code == 200, "the engine")

    @classmethod
    def post(cls, body, path=CHAT, url=None, **headers):
        """POSTs JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return httpx.post((url or cls.services.url) + path, content=content, headers=headers, timeout=60)

    @property
    def engine_url(self):
        return f"http://{self.services.engine_address}"

    def witness(self, request_id):
        """The engine's ledger line of a request, once it has ended there."""
        def found():
            for line in self.services.witness.read_text().splitlines():
                entry = json.loads(line)
                if entry["id"] == request_id:
                    return entry
            return None

        return wait_for(found, f"the end of {request_id} at the engine")

    def ran(self, request_id):
        return any(json.loads(line)["id"] == request_id for line in self.services.witness.read_text().splitlines())

    def connect(self):
        host, port = self.services.gateway.address.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), 30)
        self.addCleanup(connection.close)
        return connection

    def send(self, body, request_id="none", length=None, connection=None):
        """Writes a request on a connection, which is given back; nothing is read."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = connection or self.connect()
        head = (f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-request-id: {request_id}\r\n"
                f"content-length: {len(content) if length is None else length}\r\n\r\n")
        connection.sendall(head.encode() + content)
        return connection


def read_answer(reader):
    """Status, headers and body of the next answer on a connection."""
    status = int(reader.readline().split()[1])
    headers = {}
    while line := reader.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, reader.read(int(headers["content-length"]))


class Endpoints(Case):
    def test_A10_01_A10_07_answers_are_the_engines_byte_for_byte(self):
        cases = {
            CHAT: question("Hi", temperature=0.5, logit_bias={"50256": -100}),
            "/v1/completions": {"model": MODEL, "prompt": "Once"},
            "/v1/embeddings": {"model": MODEL, "input": ["a", "b"]},
            "/v1/responses": {"model": MODEL, "input": "Hi"},
            "/v1/rerank": {"model": MODEL, "query": "q", "documents": ["a", "b", "c"], "top_n": 2},
        }
        for path, body in cases.items():
            for streamed in (False, True):
                with self.subTest(path=path, streamed=streamed):
                    body = {**body, "stream": streamed}
                    ours, engines = self.post(body, path), self.post(body, path, url=self.engine_url)
                    self.assertEqual((ours.status_code, ours.headers["content-type"]),
                                     (200, engines.headers["content-type"]))
                    self.assertEqual(ours.content, engines.content)

    def test_A10_02_A10_03_the_sdk_streams_chat(self):
        whole = self.client.chat.completions.create(**question("Tell me"))
        chunks = list(self.client.chat.completions.create(
            **question("Tell me"), stream=True, stream_options={"include_usage": True}))
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)
        self.assertEqual({c.object for c in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({(c.id, c.created, c.model) for c in chunks}), 1)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertIn(chunks[-2].choices[0].finish_reason, ("stop", "length"))

    def test_the_sdk_completes_text(self):
        whole = self.client.completions.create(model=MODEL, prompt="Once")
        pieces = self.client.completions.create(model=MODEL, prompt="Once", stream=True)
        self.assertEqual("".join(p.choices[0].text for p in pieces), whole.choices[0].text)

    def test_the_sdk_embeds_as_numbers_and_in_base64(self):
        texts = ["a", "b", "c"]
        encoded = self.client.embeddings.create(model=MODEL, input=texts, dimensions=16)
        plain = self.client.embeddings.create(model=MODEL, input=texts, dimensions=16, encoding_format="float")
        self.assertEqual(len(plain.data), 3)
        for one, other in zip(encoded.data, plain.data):
            self.assertEqual([round(x, 6) for x in one.embedding], other.embedding)

    def test_an_answer_of_20_MB_comes_whole(self):
        inputs = [str(n) for n in range(1_000)]
        body = {"model": MODEL, "input": inputs, "dimensions": 4_096, "encoding_format": "base64"}
        answer = self.post(body, "/v1/embeddings")
        self.assertGreater(len(answer.content), 20_000_000)
        self.assertEqual(answer.headers["content-length"], str(len(answer.content)))
        data = answer.json()["data"]
        self.assertEqual([d["index"] for d in data], list(range(1_000)))
        self.assertEqual({len(base64.b64decode(d["embedding"])) for d in data}, {4 * 4_096})

    def test_the_sdk_gets_responses(self):
        whole = self.client.responses.create(model=MODEL, input="Hi")
        self.assertEqual(whole.status, "completed")
        with self.client.responses.stream(model=MODEL, input="Hi") as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
        self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.completed"))
        self.assertEqual(final.output_text, whole.output_text)
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)

    def test_A10_06_the_tier_that_was_used_is_in_a_header_and_the_body_is_the_engines(self):
        for tier, used in [("flex", "flex"), ("auto", "default"), ("priority", "default"), (None, "default")]:
            body = question(**({"service_tier": tier} if tier else {}))
            answer = self.post(body)
            self.assertEqual((answer.status_code, answer.headers["x-backfill-service-tier"]), (200, used))
            self.assertEqual(answer.content, self.post(body, url=self.engine_url).content)

    def test_A9_06_A9_07_the_request_id_reaches_the_engine_and_the_time_is_told(self):
        answer = self.client.chat.completions.with_raw_response.create(
            **question(), extra_headers={"x-request-id": "online-17"})
        self.assertEqual(answer.headers["x-request-id"], "online-17")
        self.assertRegex(answer.headers["openai-processing-ms"], r"^\d+$")
        self.assertIsNotNone(email.utils.parsedate_to_datetime(answer.headers["date"]).tzinfo)
        self.assertEqual(self.witness("online-17")["outcome"], "ok")

    def test_A9_01_what_is_no_request_is_refused_with_an_error_object(self):
        cases = [
            (b"[]", 400, None, "invalid_json"),
            (b"", 400, None, "invalid_json"),
            (b'{"model":', 400, None, "invalid_json"),
            ({"messages": []}, 400, "model", "missing_required_parameter"),
            ({"model": 7}, 400, "model", "invalid_type"),
            (b'{"model":"a","model":"b"}', 400, "model", "duplicate_key"),
            ({"model": "nobody"}, 404, "model", "model_not_found"),
        ]
        for body, status, param, code in cases:
            answer = self.post(body)
            error = answer.json()["error"]
            self.assertEqual((answer.status_code, error["param"], error["code"]), (status, param, code), body)
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            answer = self.post(question(), content_type=kind)
            self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (415, "unsupported_media_type"))
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.chat.completions.create(model="nobody", messages=[])
        self.assertEqual((raised.exception.code, raised.exception.param), ("model_not_found", "model"))

    def test_A9_04_other_methods_say_which_one_there_is(self):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            answer = httpx.request(method, self.services.url + CHAT)
            self.assertEqual((answer.status_code, answer.headers["allow"]), (405, "POST"), method)
            if method != "HEAD":
                self.assertEqual(answer.json()["error"]["code"], "method_not_allowed")

    def test_a_connection_is_kept_from_request_to_request(self):
        connection = self.connect()
        reader = connection.makefile("rb")
        for body, expected in [(question(), 200), ({"model": "nobody"}, 404), (question(), 200), (b"[]", 400)]:
            self.send(body, connection=connection)
            self.assertEqual(read_answer(reader)[0], expected)
        connection.sendall(f"HEAD {CHAT} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        self.assertEqual(read_answer(reader)[0], 405)
        # Two at once are answered in their order.
        for number in range(2):
            self.send(question(f"[[fault:status;code={420 + number}]]"), connection=connection)
        self.assertEqual([read_answer(reader)[0] for _ in range(2)], [420, 421])

    def test_a_body_above_the_limit_is_refused_before_it_is_read(self):
        connection = self.send(b"{", length=64 * MIB + 1)
        status, _, body = read_answer(connection.makefile("rb"))
        self.assertEqual((status, json.loads(body)["error"]["code"]), (413, "request_too_large"))

    def test_a_body_of_many_megabytes_reaches_the_engine(self):
        self.assertEqual(self.post(question("x" * (30 * MIB))).status_code, 200)

    def test_batches_of_all_paths_count_their_usage(self):
        bodies = {
            CHAT: question(), "/v1/completions": {"model": MODEL, "prompt": "Once"},
            "/v1/embeddings": {"model": MODEL, "input": ["a", "b"]},
            "/v1/responses": {"model": MODEL, "input": "Hi"},
            "/v1/rerank": {"model": MODEL, "query": "q", "documents": ["a", "b"]},
        }
        for path, body in bodies.items():
            with self.subTest(path=path):
                lines = [{"custom_id": str(n), "method": "POST", "url": path, "body": body} for n in range(3)]
                content = "".join(json.dumps(line) + "\n" for line in lines).encode()
                file = self.client.files.create(file=("in.jsonl", content), purpose="batch")
                batch = self.client.batches.create(input_file_id=file.id, endpoint=path, completion_window="24h")
                batch = wait_for(lambda: (b := self.client.batches.retrieve(batch.id)).status in TERMINAL and b, path)
                self.assertEqual((batch.status, batch.request_counts.completed), ("completed", 3))
                results = self.client.files.content(batch.output_file_id).text.splitlines()
                answers = [json.loads(line)["response"]["body"] for line in results]
                self.assertEqual(answers[0], self.post(body, path).json())
                self.assertEqual(batch.usage.total_tokens, sum(a["usage"]["total_tokens"] for a in answers))
                self.assertGreater(batch.usage.total_tokens, 0)


class EngineErrors(Case):
    def setUp(self):
        # An engine that has said that it is full is left alone for that long.
        wait_for(lambda: self.post(question()).status_code == 200, "the engine that was full")

    def fault(self, fault, **more):
        return self.post(question(f"[[fault:{fault}]]", **more))

    def test_a_status_of_the_engine_comes_as_it_is(self):
        for status in (400, 401, 404, 422, 429, 500, 503):
            ours = self.fault(f"status;code={status};retry_after=2")
            self.assertEqual((ours.status_code, ours.headers["retry-after"]), (status, "2"))
            self.assertEqual(ours.json()["error"]["code"], "simulated_fault")
            self.setUp()

    def test_A9_05_a_busy_engine_that_says_no_time_gets_one(self):
        self.assertNotIn("retry-after", self.fault("status;code=400").headers)
        self.assertEqual(self.fault("status;code=429").headers["retry-after"], "1")

    def test_A10_04_without_a_first_byte_the_error_is_an_HTTP_error(self):
        for streamed in (False, True):
            answer = self.fault("reset_before", stream=streamed)
            self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (502, "engine_connection_error"))

    def test_a_short_answer_that_breaks_off_is_an_HTTP_error(self):
        answer = self.fault("reset_body")
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (502, "engine_connection_error"))

    def test_a_long_answer_that_breaks_off_ends_the_connection(self):
        body = {"model": MODEL, "input": ["[[fault:reset_body]]"] * 100, "dimensions": 1_000}
        with self.assertRaises(httpx.RemoteProtocolError):
            self.post(body, "/v1/embeddings")

    def test_A10_04_a_stream_that_breaks_off_says_so_and_has_no_end_mark(self):
        answer = self.fault("reset_body", stream=True)
        self.assertEqual(answer.status_code, 200)
        self.assertNotIn("[DONE]", answer.text)
        last = answer.text.split("\n\n")[-2]
        self.assertRegex(last, "^data: ")
        self.assertEqual(json.loads(last.removeprefix("data: "))["error"]["code"], "engine_connection_error")

    def test_an_answer_above_the_limit_is_no_answer(self):
        answer = self.fault(f"huge;bytes={65 * MIB}")
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (502, "engine_answer_too_large"))


class Deadlines(Case):
    arguments = {"gateway": ("--request-timeout", "1s")}

    def test_a_request_that_takes_too_long_is_ended_here_and_at_the_engine(self):
        answer = self.post(question("[[fault:hang]]"), x_request_id="too-long")
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (504, "timeout"))
        self.assertEqual(self.witness("too-long")["outcome"], "cancelled")

    def test_a_stream_that_takes_too_long_says_so(self):
        answer = self.post(question("[[fault:stall]]", stream=True))
        error = json.loads(answer.text.split("\n\n")[-2].removeprefix("data: "))["error"]
        self.assertEqual((answer.status_code, error["code"]), (200, "timeout"))


class Budget(Case):
    arguments = {"gateway": ("--held-body-bytes", 64 * MIB)}

    def test_bodies_share_a_budget_and_give_it_back(self):
        half = b'{"model":"simulated-model","messages":[],"x":"' + b"x" * (40 * MIB)
        holder = self.send(half, length=len(half) + 2)
        refused = self.post(half + b'"}')
        self.assertEqual((refused.status_code, refused.json()["error"]["code"]), (503, "slow_down"))
        self.assertIn("retry-after", refused.headers)
        holder.close()
        wait_for(lambda: self.post(half + b'"}').status_code == 200, "the budget")


class Leaving(Case):
    arguments = {
        "engine": ("--time-per-token", "100ms", "--slots", "1"), "scheduler": ("--engine-concurrency", "1"),
        # On one connection cancels arrive in their order.
        # A gateway that stops does so when nothing is under way, not because it has waited long enough.
        "gateway": ("--log-level", "info", "--scheduler-connections", "1", "--drain-timeout", "10m"),
    }

    @classmethod
    def post(cls, body, *arguments, **headers):
        return super().post({**body, "max_tokens": 1}, *arguments, **headers)

    def log(self):
        return (self.services.path / "backfill-gateway.log").read_text()

    def wait_for_log(self, request_id):
        wait_for(lambda: re.search(f"request_id={request_id}( |$)", self.log(), re.M), f"{request_id} in the log")

    def check_free(self):
        self.assertEqual(self.post(question()).status_code, 200)

    def test_A10_05_a_client_that_leaves_a_stream_ends_it_at_the_engine(self):
        with httpx.stream("POST", self.services.url + CHAT, json=question("Tell me all", stream=True),
                          headers={"x-request-id": "leaves-stream"}) as answer:
            next(answer.iter_raw())
        entry = self.witness("leaves-stream")
        self.assertEqual(entry["outcome"], "cancelled")
        self.check_free()

    def test_A10_05_a_client_that_leaves_before_the_answer_ends_it_at_the_engine(self):
        for name, leave in {
            "close": lambda c: c.close(),
            "half": lambda c: c.shutdown(socket.SHUT_WR),
            "reset": lambda c: (c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)), c.close()),
        }.items():
            with self.subTest(name):
                connection = self.send(question("[[fault:hang]]"), f"leaves-{name}")
                # The one place is taken: the engine has it.
                wait_for(lambda: self.running() == 1, "the request at the engine")
                leave(connection)
                self.assertEqual(self.witness(f"leaves-{name}")["outcome"], "cancelled")
                self.check_free()

    def running(self):
        metrics = httpx.get(f"{self.engine_url}/metrics").text
        return int(re.search(r"num_requests_running\{.*\} (\d+)", metrics).group(1))

    def test_A10_05_a_client_that_leaves_while_it_waits_is_never_sent(self):
        first = self.send(question("[[fault:hang]]"), "holds-the-place")
        wait_for(lambda: self.running() == 1, "the request at the engine")
        waiting = self.send(question(), "waits-in-vain")
        waiting.close()
        self.wait_for_log("waits-in-vain")
        # Cancels go the same way in their order: that of the second has arrived when the first one's does.
        first.close()
        self.assertEqual(self.witness("holds-the-place")["outcome"], "cancelled")
        self.check_free()
        self.assertFalse(self.ran("waits-in-vain"))

    def test_A10_05_a_client_that_leaves_in_its_body_costs_no_engine(self):
        body = json.dumps(question("x" * MIB)).encode()
        connection = self.send(body[:-10], "half-a-body", length=len(body))
        connection.close()
        self.wait_for_log("half-a-body")
        self.check_free()
        self.assertFalse(self.ran("half-a-body"))

    def test_a_gateway_that_stops_lets_streams_end(self):
        gateway = self.services.start_gateway(self.services.scheduler)
        url = f"http://{gateway.address}"
        wait_for(lambda: self.post(question(), url=url).status_code == 200, "the gateway")
        # It keeps the connection open, so that the gateway is the one that has to close it.
        client = httpx.Client()
        self.addCleanup(client.close)
        with client.stream("POST", url + CHAT, json=question("Tell me all", stream=True, max_tokens=10)) as answer:
            pieces = answer.iter_raw()
            text = next(pieces)
            gateway.process.terminate()
            host, port = gateway.address.rsplit(":", 1)

            def is_closed():
                try:
                    socket.create_connection((host, int(port)), 1).close()
                except ConnectionRefusedError:
                    return True
                return False

            wait_for(is_closed, "the end of the listener")
            text += b"".join(pieces)
        self.assertTrue(text.endswith(b"data: [DONE]\n\n"), text)
        self.assertEqual(gateway.process.wait(30), 0)


class Secure(Case):
    """The same over HTTPS and mutual TLS to the scheduler."""

    @classmethod
    def make_services(cls):
        return SecureServices()

    @classmethod
    def setUpClass(cls):
        cls.services = cls.make_services()
        cls.addClassCleanup(cls.services.stop)
        cls.client = cls.services.client()

    def test_streams_and_answers_come_over_https(self):
        whole = self.client.chat.completions.create(**question("Tell me"))
        chunks = self.client.chat.completions.create(**question("Tell me"), stream=True)
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks), whole.choices[0].message.content)

    def test_A10_05_a_client_that_closes_its_TLS_connection_is_gone(self):
        with self.services.connect(self.services.context()) as connection:
            self.send(question("[[fault:hang]]"), "leaves-tls", connection=connection)
            metrics = lambda: httpx.get(f"{self.engine_url}/metrics").text
            wait_for(lambda: re.search(r"num_requests_running\{.*\} 1", metrics()), "the request at the engine")
        self.assertEqual(self.witness("leaves-tls")["outcome"], "cancelled")


class Recorder(RawEngine):
    """Keeps what it is asked."""

    def __init__(self, scripts=None):
        super().__init__(scripts)
        self.seen = []

    def script(self, headers, body):
        self.seen.append((headers, body))
        return super().script(headers, body)


class RawCase(Case):
    """With an engine that answers what each test says."""

    @classmethod
    def make_services(cls):
        cls.engine = Recorder()
        cls.addClassCleanup(cls.engine.stop)
        return Services(engine_address=cls.engine.address, **cls.arguments)


class HostileEngines(RawCase):
    arguments = {"gateway": ("--stream-keep-alive", "1s")}

    def ask(self, reply, prompt=None, **more):
        prompt = prompt or self.id()
        self.engine.scripts[prompt] = lambda _: reply
        return self.post(question(prompt, **more))

    def stream(self, pieces, prompt=None, then="close"):
        """The whole of a streamed answer that consists of these pieces, and then breaks off."""
        return self.ask(Reply([EVENTS_HEAD, *map(chunk, pieces)], then), prompt or f"{self.id()} {pieces}", stream=True)

    def test_A10_07_the_body_reaches_the_engine_as_it_was_written(self):
        body = (b' {"model" :"simulated-model","zz":1e400,"zz":9007199254740993,"messages":[{"content":"odd"}],\n'
                b'"guided_json":{"a":"\\ud800","b":"\\u00e9\xc3\xa9"},"priority":-1, "service_tier":"flex"}\r\n')
        self.assertEqual(self.post(body, x_request_id="odd-1").status_code, 200)
        headers, seen = self.engine.seen[-1]
        self.assertEqual(seen, body)
        self.assertEqual((headers["x-request-id"], headers["content-type"]), ("odd-1", "application/json"))
        self.client.chat.completions.create(
            **question("extra"), extra_body={"guided_json": {"type": "object"}, "tools_like": [1, None]})
        self.assertEqual(json.loads(self.engine.seen[-1][1])["tools_like"], [1, None])

    def test_G6_07_a_trace_reaches_the_engine_as_it_came_and_what_is_none_does_not(self):
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        def seen(*parents, states=()):
            fields = [("TraceParent", value) for value in parents] + [("tracestate", value) for value in states]
            answer = httpx.post(self.services.url + CHAT, json=question("traced"), headers=fields, timeout=60)
            self.assertEqual(answer.status_code, 200)
            headers, _ = self.engine.seen[-1]
            return headers.get("traceparent"), headers.get("tracestate")

        self.assertEqual(seen(), (None, None))
        self.assertEqual(seen(parent), (parent, None))
        self.assertEqual(seen(parent, states=["rojo=00f0 a,congo@1=t"]), (parent, "rojo=00f0 a,congo@1=t"))
        self.assertEqual(seen(parent, states=["a=1", "b=2"]), (parent, "a=1, b=2"))
        self.assertEqual(seen(parent, states=["no state"]), (parent, None))
        self.assertEqual(seen(parent, states=["a=" + "b" * 9_000]), (parent, None))
        self.assertEqual(seen(parent.upper(), states=["a=1"]), (None, None))
        self.assertEqual(seen(parent, parent), (None, None))
        self.assertEqual(seen(states=["a=1"]), (None, None))

    def test_an_error_that_is_no_JSON_is_wrapped(self):
        html = b"<html>Bad Gateway</html>"
        for name, reply in {
            "html": answer(html, "502 Bad Gateway", content_type="text/html"),
            "html that says JSON": answer(html, "502 Bad Gateway"),
            "nothing": answer(b"", "502 Bad Gateway"),
            "long html": answer(html * 10_000, "502 Bad Gateway", content_type="text/html"),
        }.items():
            ours = self.ask(reply, f"wrapped {name}")
            self.assertEqual((ours.status_code, ours.json()["error"]["code"]), (502, "engine_error"), name)
            self.assertEqual(set(ours.json()["error"]), {"message", "type", "param", "code"})
        redirect = self.ask(answer(b"", "302 Found", headers=["location: http://elsewhere/"]), "redirect")
        self.assertEqual((redirect.status_code, redirect.json()["error"]["code"]), (502, "invalid_engine_answer"))
        self.assertNotIn("location", redirect.headers)
        other = b'{"detail":"no OpenAI error, and yet the engine\'s"}'
        self.assertEqual(self.ask(answer(other, "422 Unprocessable"), "own JSON").content, other)
        long = json.dumps({"error": "x" * 200_000}).encode()
        self.assertEqual(self.ask(answer(long, "400 Bad Request"), "long JSON").content, long)

    def test_a_length_that_is_wrong_is_not_passed_on(self):
        body = b'{"a":"' + b"x" * 200_000 + b'"}'
        # Which of two lengths holds nobody knows: the answer is refused (RFC 9112, 6.3).
        ours = self.ask(answer(body, headers=["content-length: 50"]), "two lengths")
        self.assertEqual((ours.status_code, ours.json()["error"]["type"]), (502, "server_error"))
        same = self.ask(answer(body, headers=[f"content-length: {len(body)}"]), "one length, said twice")
        self.assertEqual(same.content, body)
        with self.assertRaises(httpx.RemoteProtocolError):
            self.ask(Reply([answer(body, length=len(body) + 5)], "close"), "too long a length")

    def old(self, body, path=CHAT):
        """All bytes that a client of HTTP/1.0 gets until the connection ends, and whether it ended as it should."""
        content = json.dumps(body).encode()
        connection = self.connect()
        head = f"POST {path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        data = b""
        try:
            while piece := connection.recv(65_536):
                data += piece
        except ConnectionResetError:
            return data, False
        return data, True

    def test_HTTP_1_0_gets_no_chunks_and_its_answer_ends_with_the_connection(self):
        pieces = [event("one"), event("two"), b"data: [DONE]\n\n"]
        self.engine.scripts["old"] = lambda _: Reply([EVENTS_HEAD, *map(chunk, pieces), chunk(b"")])
        whole, is_whole = self.old(question("old", stream=True))
        head, _, body = whole.partition(b"\r\n\r\n")
        self.assertTrue(is_whole)
        self.assertTrue(head.startswith(b"HTTP/1.0 200 OK\r\n"), head)
        self.assertNotIn(b"transfer-encoding", head)
        self.assertIn(b"connection: close", head)
        self.assertEqual(body, b"".join(pieces))
        small, is_whole = self.old(question("Hello"))
        self.assertTrue(is_whole and small.startswith(b"HTTP/1.0 200 OK\r\n") and b"content-length: " in small, small)

    def test_an_answer_that_breaks_off_is_seen_to_whatever_its_length_and_version(self):
        json_head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        self.engine.scripts["broken"] = lambda _: Reply([json_head, chunk(b'{"a":"' + b"x" * 200_000)], "close")
        connection = self.send(question("broken"))
        with connection, connection.makefile("rb") as reader:
            whole = reader.read()
        head, _, body = whole.partition(b"\r\n\r\n")
        self.assertIn(b"transfer-encoding: chunked", head)
        self.assertIn(b'{"a":"xxx', body)
        self.assertFalse(body.endswith(b"0\r\n\r\n"), body[-20:])
        whole, is_whole = self.old(question("broken"))
        self.assertTrue(whole.startswith(b"HTTP/1.0 200 OK\r\n"), whole[:50])
        self.assertNotIn(b"chunked", whole[:300])
        self.assertFalse(is_whole)

    def test_nothing_of_the_next_answer_is_in_one_that_breaks_off(self):
        json_head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        is_followed = threading.Event()
        self.addCleanup(is_followed.set)

        def pieces():
            yield json_head + chunk(b'{"a":"' + b"x" * 200_000)
            is_followed.wait(30)

        self.engine.scripts["broken and followed"] = lambda _: Reply(pieces(), "close")
        connection = self.send(question("broken and followed"))
        with connection, connection.makefile("rb") as reader:
            self.assertIn(b" 200 ", reader.readline())
            # One that is refused at once, as soon as it is its turn.
            self.send(b"no JSON", connection=connection)
            is_followed.set()
            whole = reader.read()
        self.assertIn(b'{"a":"xxx', whole)
        self.assertNotIn(b"HTTP/1.1", whole)

    def test_interim_answers_and_trailers_are_passed_over(self):
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nretry-after: 9\r\n\r\n"
        head = b"HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        trailers = b"0\r\nretry-after: 8\r\ncontent-type: text/html\r\n\r\n"
        ours = self.ask(interim + head + chunk(b'{"error":{}}') + trailers)
        self.assertEqual((ours.status_code, ours.content), (503, b'{"error":{}}'))
        self.assertEqual((ours.headers["retry-after"], ours.headers["content-type"]), ("1", "application/json"))
        wait_for(lambda: self.ask(answer(), "good again").status_code == 200, "the engine that was full", 30)

    def test_A10_04_the_error_stands_on_a_line_of_its_own_wherever_the_stream_breaks(self):
        whole = event("a")
        for pieces in ([whole], [whole, whole[:20]], [whole[:-1]], [whole.replace(b"\n", b"\r\n")[:-2]], [b"data: x\r"]):
            text = self.stream(pieces).content
            self.assertTrue(text.startswith(b"".join(pieces)), text)
            self.assertGreater(len(text), len(b"".join(pieces)))
            lines = re.split(rb"\r\n|\n|\r", text)
            self.assertEqual(lines[-2:], [b"", b""], text)
            self.assertEqual(lines[-4], b"", text)
            self.assertEqual(json.loads(lines[-3].removeprefix(b"data: "))["error"]["code"], "engine_connection_error")
            self.assertNotIn(b"[DONE]", text)

    def test_A10_04_the_sdk_raises_the_error_of_a_stream_that_broke_off(self):
        self.engine.scripts["breaks"] = lambda _: Reply([EVENTS_HEAD, chunk(event("a")), chunk(event("b"))], "close")
        got = []
        with self.assertRaises(openai.APIError) as raised:
            for piece in self.client.chat.completions.create(**question("breaks"), stream=True):
                got.append(piece.choices[0].delta.content)
        self.assertEqual((got, raised.exception.code), (["a", "b"], "engine_connection_error"))

    def test_A10_08_each_piece_comes_before_the_next_is_made(self):
        pieces = [event("a"), b"data: {", b'"half":', b"1}\n\n", event("b"), b"data: [DONE]\n\n"]
        received = threading.Semaphore(1)

        def make():
            yield EVENTS_HEAD
            for piece in pieces:
                assert received.acquire(timeout=30)
                yield chunk(piece)
            yield b"0\r\n\r\n"

        self.engine.scripts["step by step"] = lambda _: Reply(make())
        got = b""
        with httpx.stream("POST", self.services.url + CHAT, json=question("step by step", stream=True)) as answer:
            expected = itertools.accumulate(pieces)
            for piece in answer.iter_raw():
                got += piece
                self.assertEqual(got, next(expected))
                received.release()
        self.assertEqual(got, b"".join(pieces))

    def test_A10_08_a_silent_stream_gets_comments_between_events_and_the_sdk_passes_them_over(self):
        silence = threading.Event()
        more = threading.Event()

        def make():
            yield EVENTS_HEAD + chunk(event("a"))
            silence.wait(30)
            yield chunk(event("b")[:30])
            more.wait(30)
            yield chunk(event("b")[30:]) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"

        self.engine.scripts["silent"] = lambda _: Reply(make())
        text = b""
        with httpx.stream("POST", self.services.url + CHAT, json=question("silent", stream=True), timeout=60) as answer:
            for piece in answer.iter_raw():
                text += piece
                if text.count(b": keep-alive\n\n") == 2:
                    silence.set()
                if text.endswith(event("b")[:30]):
                    # A comment that were due inside the event would come in between.
                    threading.Timer(2.5, more.set).start()
        clean = event("a") + event("b") + b"data: [DONE]\n\n"
        self.assertEqual(text.replace(b": keep-alive\n\n", b""), clean)
        self.assertTrue(text.endswith(event("b") + b"data: [DONE]\n\n"), text)
        silence.clear()
        threading.Timer(2.5, silence.set).start()
        chunks = self.client.chat.completions.create(**question("silent"), stream=True)
        self.assertEqual([c.choices[0].delta.content for c in chunks], ["a", "b"])


class Streams(RawCase):
    def test_A10_09_odd_event_streams(self):
        """They come as the engine wrote them, split anywhere, and are no errors."""
        cases = {
            "CR and LF": event("a").replace(b"\n", b"\r\n"), "CR": event("a").replace(b"\n", b"\r"),
            "several lines of data": b'data: {"choices":\ndata: []}\n\n', "comments": b": hello\n\n:\n" + event("a"),
            "no empty line at the end": event("a")[:-1], "no end mark": event("a"), "nothing": b"",
            "an event without data": b"event: ping\n\nid: 7\nretry: 10\n\n", "UTF-8": event("\U0001F680 F\u00fc\u00dfe"),
            "a byte order mark": b"\xef\xbb\xbf" + event("a"), "no UTF-8": b"data: \xff\n\n",
        }
        for name, text in cases.items():
            for size in (1, 7, 1_000):
                prompt = f"{name} {size}"
                pieces = [text[at:at + size] for at in range(0, len(text), size)]
                self.engine.scripts[prompt] = lambda _, pieces=pieces: Reply(
                    [EVENTS_HEAD, *map(chunk, pieces), b"0\r\n\r\n"])
                answer = self.post(question(prompt, stream=True))
                self.assertEqual((answer.status_code, answer.content), (200, text), prompt)
        got = self.client.chat.completions.create(**question("CR and LF 1"), stream=True)
        self.assertEqual([c.choices[0].delta.content for c in got], ["a"])


class SlowReaders(RawCase):
    READERS = 8
    BYTES = 60 * MIB

    def test_a_client_that_does_not_read_holds_the_engine_back_and_costs_little(self):
        sent = [0] * self.READERS

        def make(number):
            yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % self.BYTES
            for _ in range(self.BYTES // (64 << 10)):
                yield b" " * (64 << 10)
                sent[number] += 64 << 10

        for number in range(self.READERS):
            self.engine.scripts[f"slow {number}"] = lambda _, number=number: Reply(make(number))
        programs = [self.services.gateway, self.services.scheduler]
        before = [self.anonymous_bytes(p) for p in programs]
        connections = [self.send(question(f"slow {number}")) for number in range(self.READERS)]
        last = []

        def has_stopped():
            last.append(list(sent))
            return all(sent) and len(last) > 50 and last[-1] == last[-50]

        wait_for(has_stopped, "the engine that is held back")
        # What the kernel holds of four sockets, the window of credits, and a chunk on its way.
        self.assertLess(max(sent), self.BYTES // 2)
        for program, bytes_before in zip(programs, before):
            self.assertLess(self.anonymous_bytes(program) - bytes_before, self.READERS * 4 * MIB, program.name)
        for connection in connections:
            reader = connection.makefile("rb")
            status, _, body = read_answer(reader)
            self.assertEqual((status, len(body)), (200, self.BYTES))

    @staticmethod
    def anonymous_bytes(program):
        with open(f"/proc/{program.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+) kB", status.read()).group(1)) << 10


class Priority(RawCase):
    """Online requests beside a batch, at an engine with eight places."""

    arguments = {"scheduler": ("--engine-concurrency", "8")}

    def setUp(self):
        self.free = threading.Semaphore(0)
        self.guard = threading.Lock()
        self.running = self.most = 0

    def line(self, _):
        """A batch line takes its place until the test lets one go."""
        with self.guard:
            self.running += 1
            self.most = max(self.most, self.running)
        self.free.acquire(timeout=60)
        with self.guard:
            self.running -= 1
        return answer()

    def test_online_goes_first_and_a_part_of_the_places_is_kept_for_it(self):
        lines = [f"line {n}" for n in range(60)]
        for line in lines:
            self.engine.scripts[line] = self.line
        content = "".join(json.dumps({"custom_id": l, "method": "POST", "url": CHAT, "body": question(l)}) + "\n"
                          for l in lines).encode()
        # Those that were asked before this test are past: the places are the batch's.
        file = self.client.files.create(file=("in.jsonl", content), purpose="batch")
        batch = self.client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        places = 6  # An online request of `setUpClass` keeps a quarter for a minute.
        wait_for(lambda: self.running == places, "the batch in its places")

        # At once, in the places that are kept.
        self.assertEqual(self.post(question("online at once")).status_code, 200)
        self.assertEqual(self.running, places)

        # All places taken: two online ones hold the reserve.
        hold = threading.Event()
        self.engine.scripts["online that stays"] = lambda _: hold.wait(60) and answer()
        started = len(self.engine.requests)
        stay = [self.send(question("online that stays")) for _ in range(2)]
        wait_for(lambda: len(self.engine.requests) == started + 2, "the online requests in the reserve")
        waiting = [self.send(question("online that waits")) for _ in range(10)]
        # These go the same way: when they are answered the others wait at the scheduler.
        for _ in range(20):
            self.assertEqual(self.post({"model": "nobody"}).status_code, 404)
        started = len(self.engine.requests)
        self.free.release()
        readers = [connection.makefile("rb") for connection in waiting]
        self.assertEqual([read_answer(reader)[0] for reader in readers], [200] * 10)
        after = [prompt for _, prompt in self.engine.requests[started:]]
        self.assertEqual(after[:10], ["online that waits"] * 10)
        hold.set()
        for connection in stay:
            self.assertEqual(read_answer(connection.makefile("rb"))[0], 200)

        # The batch goes on in what is left, and ends.
        self.most = 0
        self.free.release(len(lines))
        ended = wait_for(lambda: (b := self.client.batches.retrieve(batch.id)).status in TERMINAL and b, "the batch")
        self.assertEqual(ended.request_counts.completed, len(lines))
        self.assertLessEqual(self.most, places)


class Outages(unittest.TestCase):
    def test_A9_05_without_an_engine_the_answer_is_503_with_a_time(self):
        services = Services()
        self.addCleanup(services.stop)
        client = OpenAI(base_url=services.url + "/v1", api_key="none", max_retries=0)
        ask = lambda: client.chat.completions.with_raw_response.create(**question())
        wait_for(lambda: [m.id for m in client.models.list()] == [MODEL], "the engine")
        services.engine.kill()
        with self.assertRaises(openai.InternalServerError) as raised:
            ask()
        self.assertEqual((raised.exception.status_code, raised.exception.code), (503, "engine_unavailable"))
        self.assertEqual(raised.exception.response.headers["retry-after"], "1")
        services.scheduler.kill()
        with self.assertRaises(openai.InternalServerError) as raised:
            ask()
        self.assertIn(raised.exception.status_code, (502, 503))
        self.assertEqual(raised.exception.response.headers["content-type"], "application/json")


if __name__ == "__main__":
    unittest.main()
