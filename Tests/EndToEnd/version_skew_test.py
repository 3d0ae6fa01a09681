"""A gateway and a scheduler of different versions: a peer that has only the last version's messages, and one of a later
version whose messages hold fields and values that nobody knows here, against today's programs."""

import json
import pathlib
import socket
import sys
import tempfile
import threading
import unittest

import httpx

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Conformance"))

import document
from disk_faults_test import crc32c
from raw_peer import HEADER, PROTOS, REQUEST, RESPONSE, RawPeer, messages
from sample_messages import UNKNOWN_FIELDS, add_unknown, alternatives, encode, filled
from services import Program, Services, wait_for
from target import Exchange

LAST = PROTOS.parent / "Tests" / "VersionSkew" / "protos"
FILES, BATCHES = "backfill.v1.Files", "backfill.v1.Batches"
OK, UNIMPLEMENTED = 0, 12
COMPLETED, LATER_STATUS = 5, 1_000
LINES = 20


class Messages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.last, cls.today = messages(LAST), messages()

    def test_every_message_of_the_last_version_is_there(self):
        self.assertLessEqual(self.last.keys(), self.today.keys())

    def test_the_last_version_reads_todays_messages_and_keeps_what_it_does_not_know(self):
        for name, kind in self.last.items():
            for alternative in range(alternatives(self.today[name])):
                sent = encode(filled(self.today[name], alternative=alternative))
                read = kind.FromString(sent)
                with self.subTest(name):
                    self.assertEqual(self.today[name].FromString(encode(read)), self.today[name].FromString(sent))
                    known = [field.name for field in kind.DESCRIPTOR.fields]
                    shared = [f.name for f, _ in self.today[name].FromString(sent).ListFields() if f.name in known]
                    self.assertEqual([field.name for field, _ in read.ListFields()], shared)


class Client(RawPeer):
    """What a gateway does, call after call. `later`: with fields of a later version in every message."""

    def __init__(self, address, kinds, *, later):
        super().__init__(address, kinds)
        self.later, self.stream = later, -1

    def call(self, service, method, answer, request, **fields):
        self.stream += 2
        kind = self.messages[f"backfill.v1.{request}"]
        payload = encode(kind(**fields))
        envelope = self.messages["ttrpc.Request"](
            service=service, method=method, timeout_nano=10_000_000_000,
            payload=add_unknown(kind, payload) if self.later else payload)
        envelope.metadata.add(key="a-key-of-a-later-version", value="x")
        data = encode(envelope)
        self.send(self.stream, REQUEST, 0, add_unknown(type(envelope), data) if self.later else data)
        code, message = self.response(self.stream, f"backfill.v1.{answer}")
        assert code == OK, (method, code)
        return message

    def upload(self, content):
        begun = self.call(FILES, "BeginUpload", "BeginUploadResponse", "BeginUploadRequest", purpose="batch")
        self.call(FILES, "WriteChunk", "WriteChunkResponse", "WriteChunkRequest",
                  upload_id=begun.upload_id, data=content, crc32c=crc32c(content))
        completed = self.call(
            FILES, "CompleteUpload", "CompleteUploadResponse", "CompleteUploadRequest",
            upload_id=begun.upload_id, filename="skew.jsonl", purpose="batch", bytes=len(content))
        return completed.file.id

    def batch(self, identifier):
        return self.call(BATCHES, "GetBatch", "GetBatchResponse", "GetBatchRequest", batch_id=identifier).batch


class Gateways(unittest.TestCase):
    """Another gateway, today's scheduler."""

    def run_a_batch(self, *, later):
        services = Services()
        self.addCleanup(services.stop)
        client = Client(services.scheduler.address, messages(LAST), later=later)
        self.addCleanup(client.close)
        body = {"model": "simulated-model", "input": "x"}
        file = client.upload(b"".join(
            json.dumps({"custom_id": f"{n}", "method": "POST", "url": "/v1/embeddings", "body": body}).encode() + b"\n"
            for n in range(LINES)))
        created = client.call(
            BATCHES, "CreateBatch", "CreateBatchResponse", "CreateBatchRequest",
            input_file_id=file, endpoint="/v1/embeddings", completion_window="24h", metadata={"from": "another version"})
        batch = created.batch.id
        wait_for(lambda: client.batch(batch).status == COMPLETED, "the end of the batch")
        ended = client.batch(batch)
        self.assertEqual((ended.request_counts.total, ended.request_counts.completed), (LINES, LINES))
        self.assertEqual(dict(ended.metadata), {"from": "another version"})
        output = client.call(
            FILES, "ReadFile", "ReadFileResponse", "ReadFileRequest",
            file_id=ended.output_file_id, maximum_bytes=1 << 18)
        self.assertEqual([json.loads(line)["custom_id"] for line in output.data.splitlines()],
                         [f"{n}" for n in range(LINES)])
        listed = client.call(BATCHES, "ListBatches", "ListBatchesResponse", "ListBatchesRequest", limit=10)
        self.assertEqual([found.id for found in listed.batches], [batch])

    def test_a_gateway_of_the_last_version_runs_a_batch(self):
        self.run_a_batch(later=False)

    def test_a_gateway_of_a_later_version_runs_a_batch(self):
        self.run_a_batch(later=True)


class Scheduler:
    """What a scheduler answers to a gateway, one file and a batch in every state. `later`: with fields of a later
    version in every message."""

    FILE = {"id": f"file-{32 * '0'}", "bytes": 4, "created_at": 1, "filename": "a.jsonl", "purpose": "batch", "status": 2}

    def __init__(self, kinds, *, later):
        self.messages, self.later = kinds, later
        # All methods that were asked for, and those of its services that it has not.
        self.calls, self.missed = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as incoming:
            while len(header := incoming.read(HEADER.size)) == HEADER.size:
                size, stream, kind, _ = HEADER.unpack(header)
                data = incoming.read(size)
                if kind == REQUEST:
                    answer = self.answer(self.messages["ttrpc.Request"].FromString(data))
                    connection.sendall(HEADER.pack(len(answer), stream, RESPONSE, 0) + answer)

    def answer(self, request):
        self.calls.append(request.method)
        envelope = self.messages["ttrpc.Response"]()
        body = getattr(self, request.method, None)
        if body is None or not request.service.startswith("backfill.v1."):
            if request.service.startswith("backfill.v1."):
                self.missed.append(request.method)
            envelope.status.code = UNIMPLEMENTED
            envelope.status.message = "this version has no such method"
        else:
            asked = self.messages[f"backfill.v1.{request.method}Request"].FromString(request.payload)
            answered = self.messages[f"backfill.v1.{request.method}Response"](**body(asked))
            data = encode(answered)
            envelope.payload = add_unknown(type(answered), data) if self.later else data
        return encode(envelope) + (UNKNOWN_FIELDS if self.later else b"")

    def batch(self, identifier):
        """The last four digits are the status."""
        return self.messages["backfill.v1.Batch"](
            id=identifier, endpoint="/v1/embeddings", status=int(identifier[-4:]), created_at=1, expires_at=2,
            request_counts={"total": 3, "completed": 1}, metadata={"k": "v"})

    def GetBatch(self, asked):
        return {"batch": self.batch(asked.batch_id)}

    def CancelBatch(self, asked):
        return {"batch": self.batch(asked.batch_id[:-4] + "0007")}

    def ListBatches(self, asked):
        return {"batches": [self.batch(f"batch_{28 * '0'}{status:04}") for status in range(1, 9)]}

    def GetFile(self, asked):
        return {"file": self.messages["backfill.v1.File"](**self.FILE)}


class Schedulers(unittest.TestCase):
    """Today's gateway, another scheduler, which has no Session service either."""

    FILE, BATCH, UPLOAD = Scheduler.FILE["id"], f"batch_{28 * '0'}0003", f"upload_{32 * '0'}"
    # What the other scheduler has not: of its own services, and whole services.
    MISSING = [
        ("POST", "/files", {"data": {"purpose": "batch"}, "files": {"file": ("a.jsonl", b"{}\n")}}),
        ("GET", "/files", {}), ("DELETE", f"/files/{FILE}", {}), ("GET", f"/files/{FILE}/content", {}),
        ("POST", "/batches", {"json": {"input_file_id": FILE, "endpoint": "/v1/embeddings", "completion_window": "24h"}}),
        ("POST", f"/batches/{BATCH}/pause", {}), ("POST", f"/batches/{BATCH}/resume", {}),
        ("POST", f"/batches/{BATCH}/retry", {}), ("GET", f"/batches/{BATCH}/results", {}),
        ("DELETE", f"/batches/{BATCH}", {}),
        ("POST", "/uploads", {"json": {"filename": "a", "purpose": "user_data", "bytes": 1, "mime_type": "text/plain"}}),
        ("GET", f"/uploads/{UPLOAD}", {}), ("POST", f"/uploads/{UPLOAD}/parts", {"files": {"data": b"x"}}),
        ("POST", f"/uploads/{UPLOAD}/complete", {"json": {"part_ids": ["part_1"]}}),
        ("POST", f"/uploads/{UPLOAD}/cancel", {}),
        ("GET", "/models", {}), ("GET", "/models/m", {}),
        *(("POST", path, {"json": {"model": "m", "messages": [], "input": "x", "prompt": "x"}}) for path in (
            "/chat/completions", "/completions", "/embeddings", "/responses", "/rerank")),
    ]
    STATES = ["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]

    def scheduler(self, *, later=False):
        scheduler = Scheduler(messages(LAST), later=later)
        self.addCleanup(scheduler.close)
        return scheduler

    def gateway_of(self, *schedulers):
        directory = tempfile.TemporaryDirectory(prefix="backfill-")
        self.addCleanup(directory.cleanup)
        log = pathlib.Path(directory.name) / "gateway.log"
        addresses = ",".join(scheduler.address for scheduler in schedulers)
        gateway = Program("backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", addresses, log=log)
        self.addCleanup(gateway.terminate)
        return f"http://{gateway.address}/v1"

    def check(self, *, later):
        url = self.gateway_of(self.scheduler(later=later))
        listed = httpx.get(f"{url}/batches").json()["data"]
        self.assertEqual([batch["status"] for batch in listed], self.STATES)
        self.assertEqual({json.dumps(batch["metadata"]) for batch in listed}, {'{"k": "v"}'})
        one = httpx.get(f"{url}/batches/batch_{28 * '0'}0003").json()
        self.assertEqual((one["status"], one["request_counts"]["total"]), ("in_progress", 3))
        cancelled = httpx.post(f"{url}/batches/batch_{28 * '0'}0003/cancel").json()
        self.assertEqual(cancelled["status"], "cancelling")
        self.assertEqual(httpx.get(f"{url}/files/{Scheduler.FILE['id']}").json()["filename"], "a.jsonl")
        # A method that the other version does not have fails alone, and says that it is not there.
        for method, path, body in self.MISSING:
            with self.subTest(method=method, path=path):
                answer = httpx.request(method, url + path, **body)
                error = answer.json()["error"]
                self.assertEqual((answer.status_code, error["type"], error["code"], error["param"]),
                                 (501, "server_error", "not_implemented", None))
                # The SDK need not ask again.
                self.assertEqual(answer.headers["x-should-retry"], "false")
                operation = document.document()["paths"][document.template(answer.url.path)][method.lower()]
                self.assertIn("501", operation["responses"])
                self.assertEqual(document.violations([Exchange(answer)]), [])
        self.assertEqual(httpx.get(f"{url}/batches/batch_{28 * '0'}0003").status_code, 200)
        return url

    @staticmethod
    def status_of_times(batch):
        return "in_progress" if batch["in_progress_at"] else "validating"

    def test_a_scheduler_of_the_last_version_serves_the_gateway(self):
        self.check(later=False)

    def test_a_scheduler_of_a_later_version_serves_the_gateway(self):
        url = self.check(later=True)
        # A1-04: a status that the API does not have is told as one that the batch's times show.
        later = httpx.get(f"{url}/batches/batch_{28 * '0'}{LATER_STATUS}")
        self.assertEqual((later.status_code, later.json()["status"]), (200, self.status_of_times(later.json())))
        self.assertEqual(httpx.get(f"{url}/batches/batch_{28 * '0'}0005").json()["status"], "completed")

    def until_asked(self, asked, *request, **body):
        """Asks the gateway until `asked` says that the other version was, and gives the statuses of the answers."""
        statuses = set()

        def ask():
            statuses.add(httpx.request(*request, **body).status_code)
            return asked()

        wait_for(ask, "a call at the other version")
        return statuses

    def test_what_a_scheduler_of_the_last_version_lacks_is_asked_of_todays(self):
        services = Services()
        self.addCleanup(services.stop)
        last = self.scheduler()
        url = self.gateway_of(last, services.scheduler)
        for method, path, body in self.MISSING:
            with self.subTest(method=method, path=path):
                alone = httpx.request(method, services.url + "/v1" + path, **body).status_code
                self.assertNotEqual(alone, 501)
                before = len(last.missed)
                statuses = self.until_asked(lambda: len(last.missed) > before, method, url + path, **body)
                self.assertEqual(statuses, {alone})

    def test_what_no_scheduler_has_was_asked_of_each(self):
        both = [self.scheduler(), self.scheduler()]
        url = self.gateway_of(*both)
        counts = lambda: [scheduler.missed.count("ListFiles") for scheduler in both]
        self.assertEqual(self.until_asked(lambda: all(counts()), "GET", url + "/files"), {501})
        before = counts()
        self.assertEqual(httpx.get(url + "/files").status_code, 501)
        self.assertEqual(counts(), [count + 1 for count in before])


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
