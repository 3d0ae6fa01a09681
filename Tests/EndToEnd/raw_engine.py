"""An engine that answers with whatever bytes the test chooses, request by request."""

import collections
import dataclasses
import json
import socket
import struct
import threading
import time

RESET = struct.pack("ii", 1, 0)
MODELS = b'{"object":"list","data":[{"id":"simulated-model","object":"model"}]}'
GOOD_BODY = (b'{"id":"x","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",'
             b'"message":{"role":"assistant","content":"Hello"}}],'
             b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}')


def answer(body=GOOD_BODY, status="200 OK", headers=(), content_type="application/json", length=None):
    """An HTTP answer; `length` is the Content-Length when it is to be wrong."""
    head = [f"HTTP/1.1 {status}", f"content-type: {content_type}", *headers,
            f"content-length: {len(body) if length is None else length}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclasses.dataclass
class Reply:
    """Pieces of an answer (a generator may pause between them), and what becomes of the connection then."""

    pieces: object
    # "keep": the next request may come; "close", "reset"; "hold": open and silent until the client has gone.
    then: str = "keep"


class RawEngine:
    """`scripts[prompt](count)` gives the bytes, or the Reply, for the request that asks `prompt` the count-th time."""

    def __init__(self, scripts=None):
        self.scripts = scripts or {}
        self.witness = None
        self.asked = collections.Counter()
        # (time, prompt) of each request, in their order.
        self.requests = []
        self.guard = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        # A shutdown wakes the thread that accepts; a close alone would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended already.

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        self.open.add(connection)
        try:
            with connection, connection.makefile("rb") as reader:
                while self.answer_next(connection, reader):
                    pass
        except OSError:
            pass  # The client has gone.
        finally:
            self.open.discard(connection)

    def answer_next(self, connection, reader):
        """Answers one request; whether another one may follow."""
        request = reader.readline().split()
        if not request:
            return False
        headers = {}
        while (line := reader.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        if request[1] == b"/v1/models":
            connection.sendall(answer(MODELS))
            return True
        return self.perform(self.script(headers, body), connection)

    def script(self, headers, body):
        prompt = json.loads(body)["messages"][0]["content"]
        with self.guard:
            self.asked[prompt] += 1
            count = self.asked[prompt]
            self.requests.append((time.monotonic(), prompt))
            if self.witness:
                with open(self.witness, "a") as ledger:
                    ledger.write(json.dumps({"id": headers.get("x-request-id"), "start": time.time()}) + "\n")
        reply = self.scripts.get(prompt, lambda _: answer())(count)
        return reply if isinstance(reply, Reply) else Reply([reply])

    def perform(self, reply, connection):
        for piece in reply.pieces:
            connection.sendall(piece)
        if reply.then == "keep":
            return True
        if reply.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if reply.then == "hold":
            # Ends when the client closes.
            connection.recv(1)
        return False
