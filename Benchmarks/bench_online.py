"""Measures online requests through the pair against the engine itself and against nginx as a proxy, interleaved.

The engine is an nginx that answers 1 KiB from memory; nothing is pinned; durability is on. For streams it is a program that
writes into each chunk when it was sent.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bench import MODEL, Pair, Program, body, cpu_seconds, free_port, wait_for  # noqa: E402

import httpx  # noqa: E402

PATH = "/v1/chat/completions"
ROUNDS = 5
SECONDS = 4
RATE = 1_000
WIDTH = 64
STREAMS = 200
CHUNKS_A_SECOND = 50
ANSWER = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 800}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
})
NGINX = """
worker_processes 1; daemon off; pid {path}/nginx.pid; error_log {path}/nginx.log error;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_body_buffer_size 1m;
  client_body_temp_path {path}/b; proxy_temp_path {path}/p; fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u;
  scgi_temp_path {path}/s;
  upstream engine {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; {location} }} }}
"""
SERVES = "location / {{ default_type application/json; return 200 '{answer}'; }}".format(answer=ANSWER)
PROXIES = ("location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header connection ''; "
           "proxy_buffering off; }")


class Nginx:
    def __init__(self, path, name, location, upstream=1):
        self.port = free_port()
        self.path = path / name
        self.path.mkdir()
        (self.path / "nginx.conf").write_text(
            NGINX.format(path=self.path, port=self.port, upstream=upstream, location=location))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", self.path / "nginx.conf", "-p", self.path])
        wait_for(lambda: (self.path / "nginx.pid").exists(), name, 10)
        self.address = f"127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Load:
    """What the program of OnlineLoad measures."""

    def __init__(self, program):
        self.program = program
        self.body = body(1, 920).encode()

    def run(self, mode, address, amount, seconds=SECONDS):
        output = subprocess.check_output([self.program, mode, address, PATH, str(amount), str(seconds)], input=self.body)
        return json.loads(output)


def wait_until_served(pair):
    def is_served():
        answer = httpx.post(f"http://{pair.gateway.address}{PATH}", content=body(1, 10),
                            headers={"content-type": "application/json"})
        return answer.status_code == 200

    wait_for(is_served, "the engine", 30)


def row(name, values, digits=3):
    print(f"| {name} | {statistics.median(values):.{digits}f} | {min(values):.{digits}f} to {max(values):.{digits}f} |")


def added(load, engine, gateway, rate):
    """What the pair adds to a request at a rate, in milliseconds."""
    rows = []
    for _ in range(ROUNDS):
        direct, through = load.run("open", engine, rate), load.run("open", gateway, rate)
        rows.append((direct["p50"], direct["p99"], through["p50"] - direct["p50"], through["p99"] - direct["p99"]))
    print(f"\n1 KiB each way, {rate:.0f} requests/s, open loop, {ROUNDS} interleaved rounds")
    for name, values in zip(("engine alone, p50 ms", "engine alone, p99 ms", "added p50 ms", "added p99 ms"), zip(*rows)):
        row(name, values)


def throughput(load, proxy, pair):
    rows = []
    for number in range(ROUNDS + 1):
        before = [cpu_seconds(p.process.pid) for p in (pair.gateway, pair.scheduler)]
        ours = load.run("closed", pair.gateway.address, WIDTH)
        after = [cpu_seconds(p.process.pid) for p in (pair.gateway, pair.scheduler)]
        theirs = load.run("closed", proxy, WIDTH)
        if number:
            cpu = [1e6 * (b - a) / (ours["rate"] * SECONDS) for a, b in zip(before, after)]
            rows.append((theirs["rate"], ours["rate"], ours["rate"] / theirs["rate"], *cpu))
    print(f"\n1 KiB each way, {WIDTH} connections, closed loop, {ROUNDS} interleaved rounds after one warm-up")
    for name, values in zip(("nginx as a proxy, requests/s", "pair, requests/s", "pair / nginx",
                             "gateway, CPU us/request", "scheduler, CPU us/request"), zip(*rows)):
        row(name, values, 2)
    return statistics.median(r[1] for r in rows)


def streams(load, path):
    engine = subprocess.Popen([load.program, "engine", "0", str(CHUNKS_A_SECOND)], stdout=subprocess.PIPE, text=True)
    try:
        address = engine.stdout.readline().split()[1]
        pair = Pair(path, f"{MODEL}=http://{address}")
        wait_for(lambda: [m.id for m in pair.client.models.list()] == [MODEL], "the engine", 30)
        rows = []
        for _ in range(ROUNDS):
            direct = load.run("streams", address, STREAMS)
            through = load.run("streams", pair.gateway.address, STREAMS)
            rows.append((direct["p99"], through["p50"], through["p99"], through["max"], through["rate"]))
        pair.stop()
    finally:
        engine.kill()
        engine.wait()
    print(f"\n{STREAMS} streams of {CHUNKS_A_SECOND} chunks/s, received less sent, {ROUNDS} rounds")
    for name, values in zip(("engine alone, p99 ms", "pair, p50 ms", "pair, p99 ms", "pair, most ms", "pair, chunks/s"),
                            zip(*rows)):
        row(name, values)


def main():
    load = Load(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="backfill-bench-") as directory:
        path = pathlib.Path(directory)
        engine = Nginx(path, "engine", SERVES)
        proxy = Nginx(path, "proxy", PROXIES, engine.port)
        try:
            pair = Pair(path, f"{MODEL}=http://{engine.address}")
            wait_until_served(pair)
            added(load, engine.address, pair.gateway.address, RATE)
            peak = throughput(load, proxy.address, pair)
            added(load, engine.address, pair.gateway.address, peak / 2)
            pair.stop()
        finally:
            engine.stop()
            proxy.stop()
        streams(load, path)


if __name__ == "__main__":
    main()
