"""Peers that nobody here wrote: containerd's ttrpc in Go, and frames by hand with Google's protobuf in Python."""

import json
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

import httpx

from go_peers import build
from raw_peer import CLOSED, DATA, PROTOS, REQUEST, RESPONSE, RawPeer, messages
from services import Program, Services, wait_for
from version_skew_test import Scheduler, encode

SESSION = "backfill.session.v1.Session"
BATCHES = "backfill.v1.Batches"
OK, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = 0, 2, 3, 4, 5
RESOURCE_EXHAUSTED, UNIMPLEMENTED = 8, 12


class Refusing(Scheduler):
    """A scheduler that answers every call but those of Session with one code."""

    def __init__(self, code):
        self.code = code
        super().__init__(messages(), later=False)

    def answer(self, request):
        self.calls.append(request.method)
        envelope = self.messages["ttrpc.Response"]()
        envelope.status.code = self.code if request.service.startswith("backfill.v1.") else INVALID_ARGUMENT
        return encode(envelope)


class Go(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="backfill-go-")
        cls.addClassCleanup(directory.cleanup)
        cls.path = pathlib.Path(directory.name)
        cls.peer = build("go_peer", cls.path)

    def test_G5_a_go_client_runs_a_batch_at_the_scheduler(self):
        services = Services()
        self.addCleanup(services.stop)
        run = subprocess.run([self.peer, "call", services.scheduler.address], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        found = json.loads(run.stdout)
        self.assertEqual(found["health"], "SERVING_STATUS_SERVING")
        # G5-02
        self.assertEqual((found["unknown service"], found["unknown method"]), ("Unimplemented", "Unimplemented"))
        self.assertEqual(found["unknown batch"], "NotFound")
        self.assertTrue(found["the same batch under one key"])
        self.assertEqual(found["status"], "BATCH_STATUS_COMPLETED")
        line = json.loads(found["output"])
        self.assertEqual((line["custom_id"], line["response"]["status_code"]), ("from-go", 200))
        # G5-01
        self.assertEqual(found["wrong answers of 1000 calls at a time"], 0)
        listed = httpx.get(f"{services.url}/v1/batches").json()["data"]
        self.assertEqual([batch["id"] for batch in listed], [found["batch"]])

    def serve(self):
        server = subprocess.Popen([self.peer, "serve"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return server, server.stdout.readline().split()[1]

    def gateway(self, scheduler, *arguments):
        gateway = Program("backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", scheduler, *arguments,
                          log=self.path / "gateway.log")
        self.addCleanup(gateway.terminate)
        return gateway

    def test_G5_11_a_go_server_that_ends_says_nothing_before(self):
        server, address = self.serve()
        gateway = self.gateway(address, "--scheduler-retry-pause=1ms")
        url = f"http://{gateway.address}/v1/batches/batch_{28 * '0'}0001"
        self.assertEqual(httpx.get(url).status_code, 200)
        server.terminate()
        server.wait()
        self.assertEqual(httpx.get(url).status_code, 503)

    def test_G5_10_errors_of_gos_own_have_the_codes_that_its_library_gives_them(self):
        _, address = self.serve()
        gateway = self.gateway(address)
        url = f"http://{gateway.address}/v1/batches/batch_{28 * '0'}"
        found = {end: httpx.get(f"{url}{end}").status_code for end in range(5000, 5007)}
        # UNKNOWN, OUT_OF_RANGE, CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED
        self.assertEqual(
            found, {5000: 500, 5001: 400, 5002: 500, 5003: 504, 5004: 404, 5005: 409, 5006: 500})

    def test_G5_16_errors_as_rust_gives_them_are_not_tried_again(self):
        for code, status in (UNKNOWN, 500), (INVALID_ARGUMENT, 400):
            with self.subTest(code=code):
                scheduler = Refusing(code)
                self.addCleanup(scheduler.close)
                gateway = self.gateway(scheduler.address)
                answer = httpx.get(f"http://{gateway.address}/v1/batches/batch_{32 * '0'}")
                self.assertEqual(answer.status_code, status)
                self.assertEqual(scheduler.calls.count("GetBatch"), 1)

    def test_G5_17_the_gateway_is_a_client_of_a_go_server_over_tcp(self):
        _, address = self.serve()
        gateway = self.gateway(address)
        url = f"http://{gateway.address}/v1/batches/batch_{28 * '0'}"
        whole = httpx.get(f"{url}0001").json()
        self.assertEqual((whole["status"], whole["endpoint"]), ("in_progress", "/v1/embeddings"))
        self.assertEqual(whole["request_counts"], {"total": 50_000, "completed": 1, "failed": 2})
        # G5-07: a call without a deadline would run for ever there.
        self.assertEqual(
            whole["metadata"], {"tenant": "default", "has a request id": "true", "has a deadline": "true"})
        missing = httpx.get(f"{url}4040")
        self.assertEqual((missing.status_code, missing.json()["error"]["message"]), (404, "no such batch here"))
        # An error of Go's own is UNKNOWN, and its words are not for clients.
        broken = httpx.get(f"{url}5000")
        self.assertEqual((broken.status_code, broken.json()["error"]["code"]), (500, "internal_error"))
        self.assertNotIn("Go's own", broken.text)
        # G5-02: a method that is not there.
        self.assertEqual(httpx.get(f"http://{gateway.address}/v1/files").status_code, 501)


class ByHand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = messages()
        cls.services = Services()
        cls.addClassCleanup(cls.services.stop)

    def setUp(self):
        self.peer = self.connect()

    def connect(self):
        peer = RawPeer(self.services.scheduler.address, self.messages)
        self.addCleanup(peer.close)
        return peer

    def message(self, name, **fields):
        return self.messages[name](**fields)

    def check_health(self, stream, **options):
        request = self.message("backfill.session.v1.HealthRequest")
        self.peer.request(stream, SESSION, "Health", request, **options)
        code, health = self.peer.response(stream, "backfill.session.v1.HealthResponse")
        self.assertEqual((code, health.status), (OK, 1))

    def get(self, stream, **options):
        request = self.message("backfill.v1.GetBatchRequest", batch_id=f"batch_{32 * '0'}")
        self.peer.request(stream, BATCHES, "GetBatch", request, **options)

    def test_the_example_of_the_documentation(self):
        page = (PROTOS.parent / "docs" / "protocol.md").read_text()
        asked, answered = (
            # Bytes are in the first column, 52 characters wide.
            bytes.fromhex(" ".join(line[:52].strip() for line in block.splitlines()))
            for block in re.findall(r"```hex\n(.*?)```", page, re.DOTALL))
        self.peer.socket.sendall(asked)
        self.assertEqual(self.peer.read(len(answered)), answered)

    def test_G2_01_a_call_byte_by_byte(self):
        self.check_health(1, bytes_at_once=1)

    def test_G2_03_an_unknown_type_is_passed_over(self):
        self.peer.send(1, 9, 0xFF, b"whatever")
        self.check_health(3)

    def test_G2_04_ids_that_are_even_or_were_used_are_refused(self):
        self.check_health(3)
        for stream in (2, 3):
            self.get(stream)
            self.assertEqual(self.peer.response(stream)[0], INVALID_ARGUMENT)
        self.check_health(5)

    def test_G3_05_a_deadline_that_has_passed(self):
        self.get(1, timeout_nano=-1)
        self.assertEqual(self.peer.response(1)[0], DEADLINE_EXCEEDED)

    def test_G5_02_what_is_not_there(self):
        request = self.message("backfill.v1.GetBatchRequest")
        self.peer.request(1, "backfill.v1.Nothing", "GetBatch", request)
        self.assertEqual(self.peer.response(1)[0], UNIMPLEMENTED)
        self.peer.request(3, BATCHES, "Nothing", request)
        self.assertEqual(self.peer.response(3)[0], UNIMPLEMENTED)

    def test_G3_02_an_error_has_a_reason_that_a_program_can_read(self):
        self.get(1)
        _, _, _, data = self.peer.receive()
        status = self.messages["ttrpc.Response"].FromString(data).status
        self.assertEqual(status.code, NOT_FOUND)
        detail = status.details[0]
        self.assertTrue(detail.type_url.endswith("backfill.v1.ErrorInfo"))
        value = self.messages["backfill.v1.ErrorInfo"].FromString(detail.value)
        self.assertEqual(value.reason, "batch_not_found")

    def test_G4_02_data_of_a_stream_that_has_ended(self):
        self.check_health(1)
        self.peer.send(1, DATA, 0, b"more")
        self.assertEqual(self.peer.response(1)[0], INVALID_ARGUMENT)
        self.check_health(3)

    def test_G5_03_a_frame_beyond_the_limit_costs_its_call_and_not_the_connection(self):
        self.peer.send(1, REQUEST, 0, bytes(5 << 20))
        self.assertEqual(self.peer.response(1)[0], RESOURCE_EXHAUSTED)
        self.check_health(3)

    def test_G5_09_a_connection_that_is_reset_ends_and_the_others_go_on(self):
        def sockets():
            return sum(path.startswith("socket:") for path in self.services.scheduler.open_files())

        self.check_health(1)
        before = sockets()
        other = self.connect()
        other.request(1, SESSION, "Watch", self.message("backfill.session.v1.WatchRequest"), flags=CLOSED)
        other.request(3, SESSION, "Health", self.message("backfill.session.v1.HealthRequest"))
        self.assertEqual(other.receive()[0], 3)
        self.assertEqual(sockets(), before + 1)
        # With this option closing sends a reset.
        other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        wait_for(lambda: sockets() == before, "the connection to be let go of")
        self.check_health(3)

    def test_G5_14_ids_may_come_in_another_order(self):
        for stream in (5, 1, 3):
            self.check_health(stream)

    def test_G6_05_a_drain_is_told_and_the_connection_ends(self):
        services = Services()
        self.addCleanup(services.stop)
        self.peer = RawPeer(services.scheduler.address, self.messages)
        self.addCleanup(self.peer.close)
        self.peer.request(1, SESSION, "Watch", self.message("backfill.session.v1.WatchRequest"), flags=CLOSED)
        self.check_health(3)
        self.assertEqual(services.scheduler.terminate(), 0)
        stream, kind, flags, data = self.peer.receive()
        self.assertEqual((stream, kind, flags), (1, DATA, 0))
        drain = self.messages["backfill.session.v1.WatchResponse"].FromString(data).drain
        self.assertGreaterEqual(drain.last_accepted_stream_id, 3)
        frames = []
        while (frame := self.peer.receive()) is not None:
            frames.append(frame)
        # More notices may come; the stream ends as G4 says, and then the connection.
        self.assertLessEqual({kind for _, kind, _, _ in frames}, {DATA, RESPONSE})


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
