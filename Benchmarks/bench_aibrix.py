"""The same 2,000 lines through AIBrix 0.8.0 and through the pair, interleaved, on an nginx that answers from memory."""

import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import bench
import httpx
from services import wait_for

LINES = 2_000
ROUNDS = 3


class AIBrix:
    """Its metadata service with its job store in Redis, the faster of its two."""

    def __init__(self, path, engine):
        self.port, redis_port = bench.free_port(), bench.free_port()
        self.redis = subprocess.Popen(
            ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", path],
            stdout=subprocess.DEVNULL)
        environment = os.environ | {
            "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_port), "STORAGE_TYPE": "local",
            "METASTORE_TYPE": "redis", "STORAGE_LOCAL_PATH": str(path / "storage"),
        }
        root = pathlib.Path(__file__).resolve().parent
        self.server = subprocess.Popen(
            [root.parent / ".venv-aibrix/bin/python", root / "aibrix_server.py", str(self.port), engine,
             str(bench.CONCURRENCY)], env=environment, cwd=path, stdout=subprocess.DEVNULL,
            stderr=open(path / "aibrix.log", "wb"))
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        wait_for(self.answers, "AIBrix", 120)

    def answers(self):
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def run(self, path):
        with open(path, "rb") as file:
            upload = self.http.post("/v1/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", file)})
        upload.raise_for_status()
        created = self.http.post("/v1/batches", json={
            "input_file_id": upload.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"})
        created.raise_for_status()
        start = time.monotonic()
        while True:
            batch = self.http.get(f"/v1/batches/{created.json()['id']}").json()
            if batch["status"] in ("completed", "failed", "expired", "cancelled"):
                assert batch["status"] == "completed" and batch["request_counts"]["completed"] == LINES, batch
                return time.monotonic() - start
            time.sleep(0.02)

    def stop(self):
        for process in (self.server, self.redis):
            process.terminate()
            process.wait()


def main():
    with tempfile.TemporaryDirectory(prefix="backfill-bench-") as directory:
        path = pathlib.Path(directory)
        port = bench.free_port()
        engine = f"http://127.0.0.1:{port}"
        nginx = bench.start_nginx(path, port)
        bench.write_input(path / "input.jsonl", LINES)
        aibrix = AIBrix(path, engine)
        pair = bench.Pair(path, f"{bench.MODEL}={engine}")
        rows = []
        for round_number in range(ROUNDS + 1):
            theirs = aibrix.run(path / "input.jsonl")
            ours, _, _ = pair.run(pair.upload(path / "input.jsonl"))
            if round_number:
                rows.append((LINES / theirs, LINES / ours, theirs / ours))
        pair.stop()
        aibrix.stop()
        nginx.terminate()
        print(f"\n{LINES} lines of 1 KiB, concurrency {bench.CONCURRENCY}, {ROUNDS} interleaved rounds after a warm-up")
        for name, values in zip(["AIBrix, lines/s", "pair, lines/s", "pair / AIBrix"], zip(*rows)):
            print(f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} to {max(values):.1f} |")


main()
