"""Clients that are slow, rude or many (T-22, T-36), against the real gateway."""

import re
import resource
import selectors
import socket
import threading
import time
import unittest

from raw_http import address_of, connect, everything
from sdk_test import Case, jsonl, request
from services import wait_for

IDLE = 10_000
PIPELINE = 4_000
# Loopback has many addresses, each with its own ports.
SOURCES = 4


def statuses(data):
    """The statuses of all answers in it."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


class Rude(Case):
    """Limits are short here, so that the test sees them crossed."""

    gateway_arguments = ("--http-head-timeout", "1s", "--http-body-timeout", "1s", "--http-write-timeout", "1s")

    def connect(self):
        connection = connect(self.services.gateway)
        self.addCleanup(connection.close)
        return connection

    def exchange(self, data):
        connection = self.connect()
        connection.sendall(data)
        return everything(connection)

    def assert_alive(self):
        self.assertEqual(self.raw("GET", "/v1/models").status_code, 200)

    def trickle(self, data):
        """Sends byte by byte until the other side has closed; gives what it sent."""
        connection = self.connect()
        connection.settimeout(0.02)
        received = b""
        for position in range(len(data)):
            try:
                connection.send(data[position:position + 1])
                piece = connection.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                return received
            received += piece
            if not piece:
                return received
        self.fail("the connection was kept open")

    def test_T22_a_head_that_comes_byte_by_byte_ends_its_connection(self):
        self.trickle(b"GET /v1/files HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 1_000)
        self.assert_alive()

    def test_T22_a_body_that_stalls_ends_its_connection(self):
        data = self.exchange(b"POST /v1/batches HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{")
        self.assertNotIn(200, statuses(data))
        self.assert_alive()

    def test_T22_a_form_that_stalls_ends_and_leaves_nothing_behind(self):
        self.exchange(b"POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=x\r\n"
                      b"content-length: 100000\r\n\r\n--x\r\ncontent-disposition: form-data; name=\"file\"; "
                      b"filename=\"a\"\r\n\r\n" + b"y" * 5_000)
        staging = self.services.path / "data" / "staging"
        wait_for(lambda: not [p for p in staging.glob("*/*") if p.is_file()], "the staged bytes to go")

    def test_T22_an_answer_that_is_never_taken_ends_its_connection(self):
        content = jsonl(request(str(n), "x" * 1_000) for n in range(20_000))
        file = self.upload(content)
        connection = self.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(f"GET /v1/files/{file.id}/content HTTP/1.1\r\nhost: a\r\n\r\n".encode())

        wait_for(lambda: not self.is_established(connection), "the gateway to give the connection up")
        self.assert_alive()

    def is_established(self, connection):
        """Whether the gateway's end of a connection is open."""
        ends = (f"{address_of(self.services.gateway)[1]:04X}", f"{connection.getsockname()[1]:04X}")
        for line in open("/proc/net/tcp").read().splitlines()[1:]:
            local, remote, state = line.split()[1:4]
            if (local.split(":")[1], remote.split(":")[1], state) == (*ends, "01"):
                return True
        return False

    def test_T36_what_could_be_read_in_two_ways_is_refused_and_the_rest_is_not_read(self):
        hidden = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
        post = b"POST /v1/batches HTTP/1.1\r\nhost: a\r\n"
        for name, head in {
            "both lengths": b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": b"content-length: 3\r\ncontent-length: 4\r\n\r\n{} ",
            "a list of lengths": b"content-length: 3, 4\r\n\r\n{} ",
            "a signed length": b"content-length: +3\r\n\r\n{} ",
            "a length in hexadecimal": b"content-length: 0x3\r\n\r\n{} ",
            "a length that is too large": b"content-length: 99999999999999999999999\r\n\r\n{} ",
            "a folded field": b"content-length: 3\r\nx: a\r\n b\r\n\r\n{} ",
            "a space before the colon": b"content-length : 3\r\n\r\n{} ",
            "a coding that is not the last": b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "a chunk of no size": b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
            "a chunk that is too large": b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
            "no host": b"host: b\r\ncontent-length: 2\r\n\r\n{}",
        }.items():
            with self.subTest(name):
                found = statuses(self.exchange(post + head + hidden))
                self.assertTrue(len(found) <= 1 and 200 not in found, found)
        self.assert_alive()

    def test_T36_a_pipeline_is_answered_in_order(self):
        get = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
        post = b"POST /v1/batches HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"
        last = b"GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        data = self.exchange(get + post + get + last)
        self.assertEqual(statuses(data), [200, 400, 200, 404])

    def test_T36_a_pipeline_of_thousands_is_answered_one_by_one(self):
        # Requests of two kinds: the one is answered by a task, the other, refused by its head, on the event loop.
        get = b"GET /healthz HTTP/1.1\r\nhost:a\r\n\r\n"
        post = b"POST /v1/rerank HTTP/1.1\r\nhost:a\r\n\r\n"
        last = b"GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        for kinds in ((post,), (get, post), (get,) + (post,) * 1_000):
            times = PIPELINE // len(kinds)
            connection = self.connect()
            threading.Thread(target=connection.sendall, args=(b"".join(kinds) * times + last,)).start()
            expected = [200 if kind == get else 415 for kind in kinds] * times + [404]
            found = statuses(everything(connection))
            self.assertEqual(len(found), len(expected))
            self.assertEqual(found, expected)
        self.assert_alive()

    def test_T36_a_chunked_body_with_trailers_is_taken(self):
        data = self.exchange(b"POST /v1/batches HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
                             b"connection: close\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nx-trailer: 1\r\n\r\n")
        self.assertIn(b"Missing required parameter", data)

    def test_T22_half_closed_connections_get_their_answer(self):
        connection = self.connect()
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(statuses(everything(connection)), [200])


class Many(Case):
    """Idle connections and slow readers by the thousand."""

    gateway_arguments = ("--http-head-timeout", "10m", "--http-write-timeout", "10m")

    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.limit = (soft, hard)
        if hard < IDLE + 1_000:
            raise unittest.SkipTest(f"only {hard} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, cls.limit)
        super().tearDownClass()

    def memory(self):
        """RssAnon of the gateway in bytes."""
        for line in open(f"/proc/{self.services.gateway.process.pid}/status"):
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
        self.fail("no RssAnon")

    def test_10000_idle_connections_are_cheap_and_others_are_served(self):
        self.raw("GET", "/v1/models")
        before = self.memory()
        connections = []
        try:
            for number in range(IDLE):
                source = (f"127.0.0.{2 + number % SOURCES}", 0)
                connections.append(socket.create_connection(address_of(self.services.gateway), 30, source))
            # Each of them is served; some have asked for something before they idle.
            for connection in connections[::100]:
                connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n")
                self.assertTrue(connection.recv(65_536).startswith(b"HTTP/1.1 200 "))
            self.assertEqual(self.run_batch(jsonl([request("a")])).status, "completed")
            each = (self.memory() - before) / IDLE
            print(f"{each / 1024:.1f} KiB for each of {IDLE} idle connections ", end="", flush=True)
            self.assertLess(each, 32 << 10)
        finally:
            for connection in connections:
                connection.close()
        wait_for(lambda: sum("socket:" in name for name in self.services.gateway.open_files()) < 100, "them to go")

    def test_slow_downloads_cost_little_memory(self):
        content = jsonl(request(str(n), "x" * 1_000) for n in range(40_000))
        file = self.upload(content)
        self.client.files.content(file.id).read()
        before = self.memory()
        selector = selectors.DefaultSelector()
        try:
            for _ in range(100):
                connection = socket.socket()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                connection.connect(address_of(self.services.gateway))
                connection.sendall(f"GET /v1/files/{file.id}/content HTTP/1.1\r\nhost: a\r\n\r\n".encode())
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ)
            # 1 KiB a second each, for a while.
            most = 0
            for _ in range(8):
                for key, _ in selector.select(0):
                    key.fileobj.recv(1_024)
                most = max(most, self.memory())
                self.assertEqual(self.raw("GET", "/v1/models").status_code, 200)
                time.sleep(0.25)
            more = most - before
            print(f"{more / (1 << 20):.1f} MiB more for 100 slow downloads ", end="", flush=True)
            self.assertLess(more, 16 << 20)
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()
            selector.close()
        self.assertEqual(self.client.files.content(file.id).read(), content)


if __name__ == "__main__":
    unittest.main()
