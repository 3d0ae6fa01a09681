"""Settings of the wire, crossed: drains, and how often a gateway makes a call again; what a gateway sends where."""

import concurrent.futures
import sys
import tempfile
import threading
import unittest

import httpx

from raw_peer import CLOSED, DATA, OPEN, RawPeer, messages
from services import Program, Services
from version_skew_test import Scheduler, encode

UNIMPLEMENTED, UNAVAILABLE = 12, 14
SESSION = "backfill.session.v1.Session"
BATCH = f"/v1/batches/batch_{32 * '0'}"


class Unavailable(Scheduler):
    """A scheduler that takes no call."""

    def answer(self, request):
        self.calls.append(request.method)
        envelope = self.messages["ttrpc.Response"]()
        envelope.status.code = UNAVAILABLE if request.service.startswith("backfill.v1.") else UNIMPLEMENTED
        return encode(envelope)


class Silent(Scheduler):
    """A scheduler that is asked for a batch and does not answer."""

    def __init__(self, kinds):
        self.was_asked, self.may_answer = threading.Event(), threading.Event()
        super().__init__(kinds, later=False)

    def GetBatch(self, asked):
        self.was_asked.set()
        self.may_answer.wait(60)
        return super().GetBatch(asked)


class Attentive(Scheduler):
    """A scheduler that takes an upload, and notes over which connection a call came and with which metadata."""

    def __init__(self, kinds):
        self.places, self.metadata = {}, {}
        super().__init__(kinds, later=False)

    def answer(self, request):
        # Each connection has a thread of its own.
        self.places.setdefault(request.method, set()).add(threading.get_ident())
        self.metadata[request.method] = {pair.key: pair.value for pair in request.metadata}
        return super().answer(request)

    def BeginUpload(self, asked):
        return {"upload_id": "u", "maximum_chunk_bytes": 256 << 10}

    def WriteChunk(self, asked):
        return {"staged_bytes": asked.offset + len(asked.data)}

    def CompleteUpload(self, asked):
        return {"file": self.messages["backfill.v1.File"](**self.FILE)}

    def ReadFile(self, asked):
        return {"data": b"{}\n\n"[asked.offset:]}

    def CreateBatch(self, asked):
        return {"batch": self.batch(BATCH.removeprefix("/v1/batches/"))}


class WireSettings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = messages()

    def gateway(self, scheduler, *arguments):
        log = tempfile.NamedTemporaryFile()
        self.addCleanup(log.close)
        self.addCleanup(scheduler.close)
        gateway = Program("backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", scheduler.address, *arguments,
                          log=log.name)
        self.addCleanup(gateway.kill)
        return gateway

    def test_G6_08_file_content_goes_over_a_connection_of_its_own(self):
        scheduler = Attentive(self.messages)
        # One for everything else.
        url = f"http://{self.gateway(scheduler, '--scheduler-connections', '1').address}/v1"
        form = {"data": {"purpose": "batch"}, "files": {"file": ("a.jsonl", b"{}\n\n")}}
        self.assertEqual(httpx.post(f"{url}/files", **form).status_code, 200)
        self.assertEqual(httpx.get(f"{url}/files/{Scheduler.FILE['id']}/content").content, b"{}\n\n")
        self.assertEqual(httpx.get(url.removesuffix("/v1") + BATCH).status_code, 200)
        content, control = (scheduler.places[name] for name in ("WriteChunk", "GetBatch"))
        self.assertEqual((len(content), scheduler.places["ReadFile"]), (1, content))
        self.assertFalse(content & control)

    def test_G6_07_a_call_says_whose_it_is_which_request_it_is_and_its_idempotency_key(self):
        scheduler = Attentive(self.messages)
        url = f"http://{self.gateway(scheduler).address}/v1"
        body = {"input_file_id": Scheduler.FILE["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"}
        headers = {"X-Request-ID": "request-7", "Idempotency-Key": "Key 7"}
        self.assertEqual(httpx.post(f"{url}/batches", json=body, headers=headers).status_code, 200)
        self.assertEqual(
            scheduler.metadata["CreateBatch"],
            {"tenant": "default", "request-id": "request-7", "idempotency-key": "Key 7"})

    def test_G6_09_a_gateway_makes_a_call_as_often_as_it_is_told(self):
        for arguments, attempts in ((), 4), (("--scheduler-attempts", "2"), 2), (("--scheduler-attempts", "1"), 1):
            with self.subTest(attempts=attempts):
                scheduler = Unavailable(self.messages, later=False)
                gateway = self.gateway(
                    scheduler, "--scheduler-retry-pause=1ms", "--scheduler-retry-pause-maximum=2ms", *arguments)
                self.assertEqual(httpx.get(f"http://{gateway.address}{BATCH}").status_code, 503)
                self.assertEqual(scheduler.calls.count("GetBatch"), attempts)

    def test_G6_05_a_gateway_that_is_told_to_stop_waits_no_longer_than_it_may(self):
        scheduler = Silent(self.messages)
        gateway = self.gateway(scheduler, "--drain-timeout", "50ms")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(httpx.get, f"http://{gateway.address}{BATCH}", timeout=60)
            self.assertTrue(scheduler.was_asked.wait(30))
            gateway.terminate()
            # The scheduler has not answered yet, so nobody has waited for it.
            with self.assertRaises(httpx.TransportError):
                answer.result()
            scheduler.may_answer.set()

    def test_G6_05_a_scheduler_that_is_told_to_stop_waits_no_longer_than_it_may(self):
        services = Services(scheduler=("--rpc-drain-timeout", "90ms"))
        self.addCleanup(services.stop)
        peer = RawPeer(services.scheduler.address, self.messages)
        self.addCleanup(peer.close)
        peer.request(1, SESSION, "Watch", self.messages["backfill.session.v1.WatchRequest"](), flags=CLOSED)
        # A request whose body does not come: nothing but the drain ends it.
        peer.request(3, "backfill.v1.Inference", "Infer", self.messages["backfill.v1.InferRequest"](), flags=OPEN)
        peer.request(5, SESSION, "Health", self.messages["backfill.session.v1.HealthRequest"]())
        self.assertEqual(peer.receive()[0], 5)
        self.assertEqual(services.scheduler.terminate(), 0)
        stream, kind, _, data = peer.receive()
        self.assertEqual((stream, kind), (1, DATA))
        drain = self.messages["backfill.session.v1.WatchResponse"].FromString(data).drain
        self.assertLessEqual(drain.remaining_milliseconds, 90)


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
