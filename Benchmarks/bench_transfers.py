"""Uploads and downloads of 200 MB through the pair, against nginx that proxies unbuffered to a second nginx which stores
and serves the same bytes (two hops, as here), and against that second nginx alone. And what 50 uploads at once hold in
memory beside one.

    PROGRAMS=DIR bench_transfers.py [speed|memory ...]
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import bench
from services import wait_for

ROUNDS = 5
BYTES = 200 << 20
UPLOADS = 50
WANTED_RATIO = 0.5
WANTED_MIB = 16
BOUNDARY = "bench-transfers"
# One worker each: what they do for one transfer is done by one thread anyhow.
NGINX = """
user root;
worker_processes 1; daemon off; pid {path}/nginx.pid; error_log {path}/nginx.log error;
events {{ worker_connections 2048; }}
http {{ access_log off; client_max_body_size 1g; client_body_temp_path {path}/b; proxy_temp_path {path}/p;
  fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s; default_type application/octet-stream;
  {server} }}
"""
STORE = """server {{ listen 127.0.0.1:{port}; root {path}/store; sendfile on;
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }} }}"""
PROXY = """server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{store}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off; }} }}"""


class Nginx:
    """One nginx with one server."""

    def __init__(self, path, server, **values):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=path))
        (self.path / "store").mkdir()
        self.port = bench.free_port()
        server = server.format(path=self.path, port=self.port, **values)
        (self.path / "nginx.conf").write_text(NGINX.format(path=self.path, server=server))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", self.path / "nginx.conf", "-p", self.path])
        wait_for(lambda: (self.path / "nginx.pid").exists(), "nginx", 10)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


def write_form(path, purpose, lines):
    """The body of an upload, whole: the same bytes go to all contenders."""
    head = (f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
            f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="large.jsonl"\r\n\r\n').encode()
    written = 0
    with open(path, "wb") as file:
        file.write(head)
        for number in range(lines):
            # The last line fills the file up to its size.
            size = (BYTES - written) // (lines - number)
            line = f'{{"custom_id":"r-{number}","method":"POST","url":"/v1/chat/completions","body":'
            line += '{"model":"' + bench.MODEL + '","messages":[{"role":"user","content":"'
            line += "x" * (size - len(line) - 6) + '"}]}}\n'
            written += file.write(line.encode()[:BYTES - written])
        file.write(f"\r\n--{BOUNDARY}--\r\n".encode())


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--fail-with-body", *arguments], capture_output=True)
    assert done.returncode == 0, (arguments, done.stdout[:500], done.stderr)
    return done.stdout


def send(url, method, form):
    """Uploads with the same client and options whoever takes it."""
    return curl("-X", method, "-T", str(form), "-H", f"content-type: multipart/form-data; boundary={BOUNDARY}", url)


def seconds(work):
    start = time.monotonic()
    result = work()
    return time.monotonic() - start, result


def upload_to_nginx(front, store, form):
    send(f"{front.url}/large", "PUT", form)
    # The pair's answer says that the bytes are durable.
    with open(store.path / "store" / "large", "rb") as stored:
        os.fsync(stored.fileno())


def upload_to_pair(pair, form):
    return json.loads(send(f"http://{pair.gateway.address}/v1/files", "POST", form))


def download(url, path):
    curl("-o", str(path), url)
    assert path.stat().st_size >= BYTES


def measure(contenders):
    """Medians by contender, of interleaved rounds; the first round warms up."""
    taken = {name: [] for name in contenders}
    for number in range(ROUNDS + 1):
        for name in contenders if number % 2 else reversed(contenders):
            os.sync()
            duration, _ = seconds(contenders[name])
            if number:
                taken[name].append(duration)
    return taken


def report(what, taken):
    rates = {name: [BYTES / 1e6 / value for value in values] for name, values in taken.items()}
    for name, values in rates.items():
        print(f"| {what} | {name} | {statistics.median(values):.0f} | {min(values):.0f} to {max(values):.0f} | "
              f"{statistics.median(values) / statistics.median(rates['nginx']):.2f} |", flush=True)


def speed(path):
    store = Nginx(path, STORE)
    proxy = Nginx(path, PROXY, store=store.port)
    pair = bench.Pair(path, f"{bench.MODEL}=http://127.0.0.1:9")
    try:
        print(f"\n{BYTES >> 20} MiB, one curl, {ROUNDS} interleaved rounds after a warm-up; an upload ends when it is "
              f"synced. At least {WANTED_RATIO} of nginx is wanted.\n")
        print("| | | MB/s, median | range | of nginx |\n|---|---|---|---|---|")
        for purpose in ("user_data", "batch"):
            form = path / f"{purpose}.form"
            write_form(form, purpose, 40_000)
            files = []
            report(f"upload, {purpose}", measure({
                "nginx": lambda: upload_to_nginx(proxy, store, form),
                "Backfill": lambda: files.append(upload_to_pair(pair, form)["id"]),
                "one nginx": lambda: upload_to_nginx(store, store, form),
            }))
            for file in files[:-1]:
                curl("-X", "DELETE", f"http://{pair.gateway.address}/v1/files/{file}")
        target = path / "download"
        report("download", measure({
            "nginx": lambda: download(f"{proxy.url}/large", target),
            "Backfill": lambda: download(f"http://{pair.gateway.address}/v1/files/{files[-1]}/content", target),
            "one nginx": lambda: download(f"{store.url}/large", target),
        }))
    finally:
        pair.stop()
        proxy.stop()
        store.stop()


def peak(path, form, count):
    """Highest RssAnon of the two programs of a fresh pair while so many uploads go up at once."""
    pair = bench.Pair(path, f"{bench.MODEL}=http://127.0.0.1:9")
    try:
        memory = bench.PeakMemory([pair.gateway, pair.scheduler])
        memory.start()
        address = f"http://{pair.gateway.address}/v1/files"
        header = f"content-type: multipart/form-data; boundary={BOUNDARY}"
        uploads = [
            subprocess.Popen(["curl", "-sS", "--fail-with-body", "-o", path / f"answer-{n}", "-X", "POST", "-T", form,
                              "-H", header, address])
            for n in range(count)
        ]
        assert {upload.wait() for upload in uploads} == {0}
        return memory.stop()
    finally:
        pair.stop()


def memory(path):
    form = path / "batch.form"
    write_form(form, "batch", 40_000)
    print(f"\nHighest RssAnon, MiB: {UPLOADS} uploads of {BYTES >> 20} MiB (purpose batch) at once and one; at most "
          f"{WANTED_MIB} MiB more are wanted.\n")
    print("| | one | all at once | more |\n|---|---|---|---|")
    one, many = peak(path, form, 1), peak(path, form, UPLOADS)
    for name in one:
        print(f"| {name} | {one[name]:.1f} | {many[name]:.1f} | {many[name] - one[name]:.1f} |")


def main():
    parts = {"speed": speed, "memory": memory}
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("WORK")) as directory:
            parts[name](pathlib.Path(directory))


if __name__ == "__main__":
    main()
