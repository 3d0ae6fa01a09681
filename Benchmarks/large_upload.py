"""A file of 8 GiB in parts of 64 MiB, two at a time, composed to one file: seconds of each step and what the programs hold
in memory. And that a batch input of this size is refused.

    PROGRAMS=DIR large_upload.py [GiB]
"""

import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import sys
import tempfile
import time

import bench

PART = 64 << 20
PIECE = 1 << 20
# As the OpenAI SDK sends them, more or less.
AT_ONCE = 2
BOUNDARY = "large-upload"
HEAD = (f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="data"; filename="part"\r\n'
        "content-type: application/octet-stream\r\n\r\n").encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
# Composing goes on without its caller, who asks again.
LIMIT_SECONDS = 900


def call(pair, method, path, body, headers):
    """The status and the JSON of the answer."""
    host, port = pair.gateway.address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT_SECONDS)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def post(pair, path, body):
    return call(pair, "POST", path, json.dumps(body), {"content-type": "application/json"})


def pieces(part):
    """The bytes of a part: no two pieces of a file are the same."""
    filler = bytes(range(256)) * (PIECE // 256 - 1)
    for number in range(PART // PIECE):
        yield f"{part:128}{number:128}".encode() + filler


def send(pair, upload, part):
    def form():
        yield HEAD
        yield from pieces(part)
        yield TAIL

    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}",
               "content-length": str(len(HEAD) + PART + len(TAIL))}
    status, answer = call(pair, "POST", f"/v1/uploads/{upload}/parts", form(), headers)
    assert status == 200, answer
    return answer["id"]


def begin(pair, size, purpose):
    return post(pair, "/v1/uploads", {"filename": "large.bin", "purpose": purpose, "bytes": size,
                                      "mime_type": "application/octet-stream"})


def complete(pair, upload, parts, md5):
    body = {"part_ids": parts, "md5": md5}
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        status, answer = post(pair, f"/v1/uploads/{upload}/complete", body)
        if status == 200:
            return answer
        assert status >= 500 and time.monotonic() < deadline, answer


def hash_of(parts):
    md5 = hashlib.md5()
    for part in range(parts):
        for piece in pieces(part):
            md5.update(piece)
    return md5.hexdigest()


def study(path, size):
    count = size // PART
    md5 = hash_of(count)
    pair = bench.Pair(path, f"{bench.MODEL}=http://127.0.0.1:9")
    try:
        status, answer = begin(pair, size, "batch")
        assert status == 400 and answer["error"]["code"] == "file_too_large", answer
        print(f"as a batch input: {status} {answer['error']['code']}: {answer['error']['message']}")
        status, answer = begin(pair, size, "user_data")
        assert status == 200, answer
        upload = answer["id"]
        memory = bench.PeakMemory([pair.gateway, pair.scheduler])
        memory.start()
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            parts = list(pool.map(lambda part: send(pair, upload, part), range(count)))
        sent = time.monotonic()
        answer = complete(pair, upload, parts, md5)
        composed = time.monotonic()
        peak = memory.stop()
        assert answer["status"] == "completed" and answer["file"]["bytes"] == size, answer
        print(f"{size >> 20} MiB in {count} parts, {AT_ONCE} at a time: {sent - start:.0f} s "
              f"({size / 1e6 / (sent - start):.0f} MB/s); composed, its MD5 checked and synced: {composed - sent:.0f} s "
              f"({size / 1e6 / (composed - sent):.0f} MB/s)")
        print("highest RssAnon: " + ", ".join(f"{name} {value:.1f} MiB" for name, value in peak.items()))
    finally:
        pair.stop()


def main():
    size = int(sys.argv[1] if len(sys.argv) > 1 else 8) << 30
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("WORK")) as directory:
        study(pathlib.Path(directory), size)


if __name__ == "__main__":
    main()
