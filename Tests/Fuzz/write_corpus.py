#!/usr/bin/env python3
"""Writes corpus.txt: what the fuzzer starts from. A line is a name and an input in hexadecimal.

Run it with .venv/bin/python after a change of the .proto files or of the form of inputs (Sources/Fuzz/FuzzTarget.swift).
"""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "EndToEnd"))

from raw_peer import CLOSED, DATA, HEADER, NO_DATA, OPEN, REQUEST, RESPONSE, messages
from sample_messages import add_unknown, alternatives, encode, filled, own_messages


def fnv1a(text):
    value = 2_166_136_261
    for byte in text.encode():
        value = (value ^ byte) * 16_777_619 % (1 << 32)
    return value


def message_inputs(kinds):
    hashes = {}
    for name, kind in kinds.items():
        short = fnv1a(name) & 0xFFFF
        assert hashes.setdefault(short, name) == name, f"{name} and {hashes[short]} have the same hash"
        head = b"M" + struct.pack(">H", short)
        data = encode(filled(kind))
        for number in range(alternatives(kind)):
            yield f"{name}-{number}", head + encode(filled(kind, alternative=number))
        yield f"{name}-unknown", head + add_unknown(kind, data)


def envelope_inputs(kinds):
    request = filled(kinds["ttrpc.Request"])
    for timeout in (0, 1, -1):
        request.timeout_nano = timeout
        yield f"request-{timeout}", b"Q" + encode(request)
    yield "request-unknown", b"Q" + add_unknown(type(request), encode(request))
    many = type(request)(service="s", method="m")
    for number in range(65):
        many.metadata.add(key=str(number))
    yield "request-65-pairs", b"Q" + encode(many)
    yield "request-long-names", b"Q" + encode(type(request)(service="s" * 200, method="m" * 57))
    response = filled(kinds["ttrpc.Response"])
    yield "response-error", b"R" + encode(response)
    yield "response-unknown", b"R" + add_unknown(type(response), encode(response))
    response.status.code = 0
    yield "response-ok", b"R" + encode(response)


def frame_inputs():
    every = b"".join(
        HEADER.pack(len(data), stream, kind, flags) + data
        for stream, kind, flags, data in (
            (1, REQUEST, 0, b"\x0a\x01a"), (3, REQUEST, CLOSED, b"a"), (5, REQUEST, OPEN, b""),
            (7, REQUEST, OPEN | NO_DATA, b""), (0x7FFFFFFF, RESPONSE, 0, b"\x12\x00"), (9, DATA, 0, b"\xbe\xef"),
            (11, DATA, 0, b""), (13, DATA, CLOSED | NO_DATA, b""), (0, 9, 0xFF, b"whatever")))
    for choice in (0, 1, 7, 31):
        yield f"frames-{choice}", b"F" + bytes([choice]) + every
    for size in (32, 33, 256, 257, (4 << 20) + 1, (64 << 20) + 1, (1 << 32) - 1):
        for choice in (0, 1):
            head = HEADER.pack(size, 1, REQUEST, 0)
            yield f"frames-{choice}-of-{size}", b"F" + bytes([choice]) + head + bytes(min(size, 300)) + every


def connection_inputs():
    def frame(event, stream, flags=0, timeout=0):
        return struct.pack(">BHBb", event, stream, flags, timeout)

    end, time, drain = bytes([5]), bytes([6 + 8 * 20]), bytes([7 + 8 * 31])
    request = [frame(0, stream, timeout=10) for stream in (1, 3, 5, 7, 9)]
    yield "connection-calls", b"C" + b"".join(request) + end * 5
    yield "connection-deadlines", b"C" + b"".join(request) + time + end * 5
    yield "connection-drain", b"C" + request[0] + drain + request[1] + end
    yield "connection-stream", b"C" + frame(0, 1, OPEN) + frame(3, 1) + frame(3, 1, CLOSED | NO_DATA) + end + frame(3, 1)
    yield "connection-refused", b"C" + frame(0, 2, OPEN) + frame(3, 2) + frame(0, 1, OPEN, -1) + frame(3, 1, CLOSED)
    yield "connection-oversized", b"C" + request[0] + frame(4, 1) + frame(4, 3, OPEN, -1) + frame(3, 3) + end


def answer_inputs():
    def answer(*lines, body=b""):
        return "".join(line + "\r\n" for line in lines).encode() + b"\r\n" + body

    ok, chunked, keep = "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: keep-alive"
    chunks = b"5\r\nhello\r\nA;a=b\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
    answers = {
        "length": answer(ok, "Content-Type: application/json", "Content-Length: 2", body=b"{}HTTP"),
        "two-lengths": answer(ok, "Content-Length: 2", "content-length: 02", body=b"{}"),
        "chunks": answer(ok, chunked, keep, body=chunks),
        "chunks-and-length": answer(ok, "Content-Length: 5", chunked, body=chunks),
        "line-feeds": (answer(ok, chunked, body=chunks)).replace(b"\r", b""),
        "until-the-end": answer("HTTP/1.0 200 OK", "Server: s", body=b"text"),
        "kept": answer("HTTP/1.0 503 Busy", keep, "Retry-After: 1", "Content-Length: 0"),
        "interim": answer("HTTP/1.1 100 Continue") + answer("HTTP/1.1 103 x", "Link: a") + answer(ok, "Content-Length: 0"),
        "no-content": answer("HTTP/1.1 204 No Content", "Connection: a, close", body=b"x"),
        "folded": answer(ok, "X: y", " z", "\tContent-Length: 1", "Content-Length: 0"),
        "folded-length": answer(ok, "Content-Length: 1", " 0"),
        "upgrade": answer("HTTP/1.1 101 Switching Protocols"),
    }
    for name, data in answers.items():
        for choice, lengths in ((0, b"\x06"), (1, b"\x00"), (4, b"\x00\x10\x03")):
            yield f"answer-{name}-{choice}", b"H" + bytes([choice]) + lengths + data


def main():
    kinds = own_messages(messages())
    inputs = [*message_inputs(kinds), *envelope_inputs(kinds), *frame_inputs(), *connection_inputs(), *answer_inputs()]
    head = "# Written by write_corpus.py.\n"
    (HERE / "corpus.txt").write_text(head + "".join(f"{name} {data.hex()}\n" for name, data in inputs))


if __name__ == "__main__":
    main()
