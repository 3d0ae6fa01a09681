"""Measures the pair of services against a bare libcurl loop on the same engine, interleaved, and prints tables.

The engine is an nginx that answers from memory with one worker; nothing is pinned; durability is on.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests" / "EndToEnd"))
from services import Program, wait_for  # noqa: E402

import openai  # noqa: E402

MODEL = "simulated-model"
LINES = 50_000
ROUNDS = 3
CONCURRENCY = 256
ANSWER = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 250}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
})
NGINX = """
worker_processes 1; daemon off; pid {path}/nginx.pid; error_log {path}/nginx.log error;
events {{ worker_connections 2048; }}
http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 16m; client_max_body_size 16m;
  client_body_temp_path {path}/b; proxy_temp_path {path}/p; fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u;
  scgi_temp_path {path}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{answer}'; }} }} }}
"""


def body(number, size):
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": f"{number} " + "x" * size}]})


def write_input(path, lines, size=920):
    """A batch input, and beside it the bodies alone, one a line."""
    with open(path, "w") as file, open(f"{path}.bodies", "w") as bodies:
        for number in range(lines):
            text = body(number, size)
            bodies.write(text + "\n")
            file.write(f'{{"custom_id":"r-{number}","method":"POST","url":"/v1/chat/completions","body":{text}}}\n')


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class PeakMemory(threading.Thread):
    """Highest RssAnon of some processes while it runs, in MiB."""

    def __init__(self, programs):
        super().__init__(daemon=True)
        self.programs, self.peak, self.stopped = programs, {p.name: 0.0 for p in programs}, threading.Event()

    def run(self):
        while not self.stopped.wait(0.01):
            for program in self.programs:
                status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
                rss = int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) / 1024
                self.peak[program.name] = max(self.peak[program.name], rss)

    def stop(self):
        self.stopped.set()
        self.join()
        return self.peak


class Pair:
    """A fresh scheduler and gateway over an engine."""

    def __init__(self, path, engine):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=path))
        self.scheduler = Program(
            "backfill-scheduler", "--listen", "127.0.0.1:0", "--data", self.path / "data", "--engine", engine,
            "--engine-concurrency", CONCURRENCY, log=self.path / "scheduler.log",
        )
        self.gateway = Program(
            "backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", self.scheduler.address,
            log=self.path / "gateway.log",
        )
        self.client = openai.OpenAI(base_url=f"http://{self.gateway.address}/v1", api_key="none")

    def upload(self, path):
        with open(path, "rb") as file:
            return self.client.files.create(file=(path.name, file), purpose="batch").id

    def run(self, file_id):
        """Seconds from the create's answer to `completed` seen by a 20 ms poll, and the scheduler's CPU seconds."""
        before = cpu_seconds(self.scheduler.process.pid)
        batch = self.client.batches.create(
            input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        created = time.time()
        start = time.monotonic()
        while batch.status not in ("completed", "failed"):
            time.sleep(0.02)
            batch = self.client.batches.retrieve(batch.id)
        elapsed = time.monotonic() - start
        assert batch.status == "completed" and batch.request_counts.failed == 0, batch
        return elapsed, cpu_seconds(self.scheduler.process.pid) - before, created

    def stop(self):
        assert self.gateway.terminate() == 0 and self.scheduler.terminate() == 0


def start_nginx(path, port):
    (path / "nginx.conf").write_text(NGINX.format(path=path, port=port, answer=ANSWER))
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", path / "nginx.conf", "-p", path])
    wait_for(lambda: (path / "nginx.pid").exists(), "nginx", 10)
    return nginx


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def throughput(path, engine, bare_loop):
    write_input(path / "large.jsonl", LINES)
    pair = Pair(path, f"{MODEL}={engine}")
    file_id = pair.upload(path / "large.jsonl")
    time.sleep(1)
    rows = []
    for round_number in range(ROUNDS + 1):
        bare = json.loads(subprocess.check_output(
            [bare_loop, f"{engine}/v1/chat/completions", str(CONCURRENCY), path / "large.jsonl.bodies"]))
        elapsed, cpu, _ = pair.run(file_id)
        if round_number:
            rows.append((LINES / bare["seconds"], LINES / elapsed, bare["seconds"] / elapsed,
                         1e6 * bare["cpu_seconds"] / LINES, 1e6 * cpu / LINES))
    pair.stop()
    names = ["bare loop, lines/s", "pair, lines/s", "pair / bare loop", "bare loop, CPU us/line", "scheduler, CPU us/line"]
    print(f"\n{LINES} lines of 1 KiB, concurrency {CONCURRENCY}, {ROUNDS} interleaved rounds after one warm-up")
    for name, values in zip(names, zip(*rows)):
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} to {max(values):.2f} |")


def memory(path, engine):
    write_input(path / "small.jsonl", 1_000)
    write_input(path / "wide.jsonl", LINES, 3_900)
    size = (path / "wide.jsonl").stat().st_size / 1e6
    print("\nPeak RssAnon in MiB, fresh processes each time: | file | scheduler | gateway |")
    for name, label in [("small", "1,000 lines"), ("large", f"{LINES:,} lines"), ("wide", f"{size:.0f} MB, {LINES:,} lines")]:
        pair = Pair(path, f"{MODEL}={engine}")
        peak = PeakMemory([pair.scheduler, pair.gateway])
        peak.start()
        pair.run(pair.upload(path / f"{name}.jsonl"))
        found = peak.stop()
        pair.stop()
        print(f"| {label} | {found['backfill-scheduler']:.1f} | {found['backfill-gateway']:.1f} |")


def first_line(path):
    witness = path / "witness.jsonl"
    simulator = Program("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--witness", witness,
                        log=path / "simulator.log")
    pair = Pair(path, f"http://{simulator.address}")
    file_id = pair.upload(path / "large.jsonl")
    time.sleep(1)
    _, _, created = pair.run(file_id)
    first = min(json.loads(line)["start"] for line in witness.read_text().splitlines())
    pair.stop()
    simulator.terminate()
    print(f"\nFirst line at the engine {1000 * (first - created):.0f} ms after the answer to the create ({LINES} lines)")


def main():
    bare_loop = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="backfill-bench-") as directory:
        path = pathlib.Path(directory)
        port = free_port()
        nginx = start_nginx(path, port)
        try:
            throughput(path, f"http://127.0.0.1:{port}", bare_loop)
            memory(path, f"http://127.0.0.1:{port}")
            first_line(path)
        finally:
            nginx.terminate()
            nginx.wait()


if __name__ == "__main__":
    main()
