"""A TCP proxy that does to a connection what networks and peers do: resets, black holes, slowness, wrong bytes.

The test changes what it does while it runs. Offsets are counted over all connections from the call on.
"""

import asyncio
import ctypes
import dataclasses
import socket
import struct
import threading

TO_SERVER, TO_CLIENT = "to server", "to client"
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
# Linger with no time: closing sends a reset instead of an end.
RESET = struct.pack("ii", 1, 0)
READ_BYTES = 65_536
CONNECT_SECONDS = 5
USER_TIMEOUT_MILLISECONDS = 20_000


@dataclasses.dataclass
class Course:
    """What happens to the bytes of one direction."""

    passed: int = 0
    # Absolute offsets in the direction's bytes; each is used once.
    cuts: list = dataclasses.field(default_factory=list)
    wrong_bytes: dict = dataclasses.field(default_factory=dict)
    swallows: bool = False
    # What was taken and not passed on since the last change of that.
    swallowed: bytearray = dataclasses.field(default_factory=bytearray)
    piece: int = READ_BYTES
    pause: float = 0

    def take(self, data):
        """The bytes to pass on, and whether the connection is cut behind them."""
        data = bytearray(data)
        for offset in [o for o in self.wrong_bytes if o < self.passed + len(data)]:
            data[offset - self.passed] ^= self.wrong_bytes.pop(offset)
        is_cut = bool(self.cuts) and self.cuts[0] < self.passed + len(data)
        if is_cut:
            del data[self.cuts.pop(0) - self.passed:]
        self.passed += len(data)
        return bytes(data), is_cut


class Connection:
    """One connection through the proxy: the client's socket and the server's."""

    def __init__(self, client, server):
        self.sockets = {TO_SERVER: client, TO_CLIENT: server}
        # It lost bytes, so it can only stay silent from then on.
        self.is_dead = False
        self.tasks = []

    def source(self, direction):
        return self.sockets[direction]

    def target(self, direction):
        return self.sockets[TO_CLIENT if direction == TO_SERVER else TO_SERVER]

    def close(self, with_reset=False):
        for task in self.tasks:
            task.cancel()
        for end in self.sockets.values():
            if with_reset and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


class FaultProxy:
    """Listens on a loopback port and passes connections on to `target`, a text like `127.0.0.1:8000`."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = host, int(port)
        self.courses = {TO_SERVER: Course(), TO_CLIENT: Course()}
        self.connections = set()
        self.accepted = 0
        self.lost_packets = set()
        self.listener = self.accepting = None
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.do(self.listen)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def do(self, body, *arguments):
        """Runs `body` on the proxy's thread."""
        async def call():
            return body(*arguments)
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def stop(self):
        asyncio.run_coroutine_threadsafe(self.end_all(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    # -- faults

    def refuse(self):
        """Nobody listens any more; the connections that there are end with a reset."""
        self.do(self.stop_listening)
        self.reset()

    def accept(self):
        """Listens again, at the same address."""
        self.do(self.listen)

    def reset(self):
        """Cuts every connection at once."""
        self.do(lambda: [self.drop(c, with_reset=True) for c in list(self.connections)])

    def cut(self, direction, after=0, times=1):
        """Resets the connection in front of byte `after` of this direction, `times` times in turn."""
        def change():
            course = self.courses[direction]
            course.cuts = [course.passed + after * (n + 1) for n in range(times)]
        self.do(change)

    def corrupt(self, direction, at, bits=0x20):
        """Turns `bits` of the byte `at` of this direction."""
        course = self.courses[direction]
        self.do(lambda: course.wrong_bytes.__setitem__(course.passed + at, bits))

    def swallow(self, *directions):
        """Half-open: takes bytes of these directions and passes nothing on. A connection that lost bytes stays dead."""
        for direction, course in self.courses.items():
            course.swallows, course.swallowed = direction in directions, bytearray()

    def slow(self, direction, piece, pause):
        """Passes `piece` bytes every `pause` seconds."""
        self.courses[direction].piece, self.courses[direction].pause = piece, pause

    def lose_packets(self, *directions):
        """A partition: packets of these directions are dropped before TCP sees them, so nothing is acknowledged."""
        self.do(self.set_lost_packets, set(directions))

    def heal(self):
        """No fault any more; what a partition held up arrives."""
        self.lose_packets()
        self.swallow()
        for course in self.courses.values():
            course.cuts, course.wrong_bytes = [], {}
            course.piece, course.pause = READ_BYTES, 0

    def passed(self, direction):
        return self.courses[direction].passed

    def swallowed(self, direction):
        return self.courses[direction].swallowed

    # -- on the proxy's thread

    async def end_all(self):
        self.stop_listening()
        for connection in list(self.connections):
            self.drop(connection, with_reset=True)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(128)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.accepting = self.loop.create_task(self.take_connections(self.listener))

    def stop_listening(self):
        self.accepting.cancel()
        self.listener.close()

    async def take_connections(self, listener):
        while True:
            client, _ = await self.loop.sock_accept(listener)
            self.accepted += 1
            self.loop.create_task(self.connect(client))

    async def connect(self, client):
        server = socket.socket()
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(client, server)
        self.connections.add(connection)
        # The proxy stands in for the client: it is as patient as the programs are.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MILLISECONDS)
        self.set_filter(server, TO_CLIENT in self.lost_packets)
        try:
            await asyncio.wait_for(self.loop.sock_connect(server, self.target), CONNECT_SECONDS)
        except (OSError, TimeoutError):
            return self.drop(connection, with_reset=True)
        self.set_lost_packets(self.lost_packets)
        connection.tasks = [self.loop.create_task(self.pump(connection, d)) for d in (TO_SERVER, TO_CLIENT)]
        self.loop.create_task(self.until_ended(connection))

    async def until_ended(self, connection):
        """Both directions came to their end, or one of them failed: the other end hears of it."""
        ended, _ = await asyncio.wait(connection.tasks, return_when=asyncio.FIRST_EXCEPTION)
        has_failed = any(task.cancelled() or task.exception() for task in ended)
        if not connection.is_dead:
            self.drop(connection, with_reset=has_failed)

    def drop(self, connection, with_reset):
        self.connections.discard(connection)
        connection.close(with_reset)

    async def pump(self, connection, direction):
        course = self.courses[direction]
        source, target = connection.source(direction), connection.target(direction)
        while True:
            data = await self.loop.sock_recv(source, course.piece)
            connection.is_dead = connection.is_dead or course.swallows
            if not data:
                return None if connection.is_dead else target.shutdown(socket.SHUT_WR)
            if connection.is_dead:
                course.swallowed += data
                continue
            data, is_cut = course.take(data)
            await self.loop.sock_sendall(target, data)
            if is_cut:
                raise ConnectionResetError
            if course.pause:
                await asyncio.sleep(course.pause)

    def set_lost_packets(self, directions):
        self.lost_packets = directions
        # The listener's filter drops the packets with which a client connects.
        self.set_filter(self.listener, TO_SERVER in directions)
        for connection in self.connections:
            for direction in self.courses:
                self.set_filter(connection.source(direction), direction in directions)

    @staticmethod
    def set_filter(end, drops):
        """A socket filter (classic BPF) that takes nothing of any packet, so that the kernel drops it."""
        if end.fileno() < 0:
            return
        if drops:
            program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
            end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
        else:
            try:
                end.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, struct.pack("i", 0))
            except OSError:
                pass  # There was none.
