"""Streams with a peer that nobody here wrote: containerd's ttrpc 1.2 in Go, in both directions."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import httpx

from go_peers import build
from services import BIN, Program, Services

# What every client of interop.v1.Streams has to find, whoever serves it.
FOUND = {
    "echo": "v",
    "server stream": "5000 ok",
    "server stream of nothing": "0 ok",
    "client stream": "3000 15000",
    "client stream of nothing": "0 0",
    # G2-06: data of no bytes is a message.
    "client stream of empty messages": "10 0",
    "both ways in turns": "500 ok",
    "both ways at once": "5000 ok",
    "200 streams at once": "200 ok",
}


class GoStreams(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="backfill-go-")
        cls.addClassCleanup(directory.cleanup)
        cls.path = pathlib.Path(directory.name)
        cls.peer = build("go_streams", cls.path, with_streams=True)

    def serve(self, *command):
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return server.stdout.readline().strip()

    def run_peer(self, *arguments):
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return json.loads(run.stdout)

    def test_G4_a_go_client_streams_at_the_swift_server(self):
        port = self.serve(BIN / "stream-peer", "serve")
        self.assertEqual(self.run_peer(self.peer, "call", f"127.0.0.1:{port}"), {
            **FOUND,
            # G4-03: what was sent before the error comes first.
            "server stream that fails": "3 Aborted",
            "client stream that fails": "Aborted",
            "both ways, ended by the server": "1 ok",
            "both ways, failed": "0 Aborted",
        })

    def test_G4_the_swift_client_streams_at_a_go_server(self):
        port = self.serve(self.peer, "serve")
        self.assertEqual(self.run_peer(BIN / "stream-peer", "call", port), {
            **FOUND,
            "server stream that fails": "3 ABORTED",
            "client stream that fails": "ABORTED",
            "both ways, ended by the server": "1 ok",
            "both ways, failed": "ABORTED",
        })

    def test_G6_02_a_go_client_infers_at_the_scheduler_under_credits(self):
        services = Services()
        self.addCleanup(services.stop)
        # More than the 1 MiB that may be sent without a credit.
        content = "x" * (3 << 20 >> 1)
        body = {"model": "simulated-model", "messages": [{"role": "user", "content": content}], "max_tokens": 4}
        path = self.path / "body.json"
        path.write_text(json.dumps(body))
        found = self.run_peer(self.peer, "infer", services.scheduler.address, str(path))
        answer = json.loads(found.pop("body"))
        self.assertEqual(answer["object"], "chat.completion")
        self.assertGreaterEqual(found.pop("chunks in order"), 1)
        self.assertEqual(found, {
            "end": "ok", "status": 200, "type": "application/json", "bytes sent": path.stat().st_size})

    def test_G6_02_the_gateway_streams_from_a_go_server(self):
        port = self.serve(self.peer, "serve")
        gateway = Program("backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", f"127.0.0.1:{port}",
                          log=self.path / "gateway.log")
        self.addCleanup(gateway.terminate)
        body = json.dumps({
            "model": "some-model", "stream": True, "messages": [{"role": "user", "content": "x" * (3 << 20 >> 1)}]})
        answer = httpx.post(f"http://{gateway.address}/v1/chat/completions", content=body,
                            headers={"content-type": "application/json"}, timeout=30)
        self.assertEqual((answer.status_code, answer.headers["content-type"]), (200, "text/event-stream"))
        events = [line for line in answer.text.splitlines() if line.startswith("data:")]
        self.assertEqual(
            events, [f'data: {{"bytes":{len(body)}}}', 'data: {"model":"some-model"}', "data: [DONE]"])

    def test_G6_05_a_go_client_is_told_of_a_drain(self):
        services = Services()
        self.addCleanup(services.stop)
        watcher = subprocess.Popen(
            [self.peer, "watch", services.scheduler.address], stdout=subprocess.PIPE, text=True)
        self.addCleanup(watcher.stdout.close)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.kill)
        self.assertEqual(watcher.stdout.readline(), "watching\n")
        self.assertEqual(services.scheduler.terminate(), 0)
        lines = watcher.stdout.read().splitlines()
        # Watch was 1, Health 3; the ping was 5.
        self.assertEqual(lines, ["drain 2147483647", "drain 5", "end ok"])


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
