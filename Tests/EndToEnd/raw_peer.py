"""A ttrpc peer in a page: frames by hand, messages by Google's protobuf package from what protoc says of protos/.

    u32 bytes of data, u32 stream id, u8 type (1 request, 2 response, 3 data), u8 flags; then the data
"""

import pathlib
import socket
import struct
import subprocess
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "protos"
HEADER = struct.Struct(">IIBB")
REQUEST, RESPONSE, DATA = 1, 2, 3
CLOSED, OPEN, NO_DATA = 1, 2, 4


def messages(protos=PROTOS):
    """The message classes of all .proto files of a folder, by full name."""
    files = [str(path.relative_to(protos)) for path in sorted(protos.rglob("*.proto"))]
    with tempfile.NamedTemporaryFile() as output:
        command = ["protoc", "--include_imports", f"--descriptor_set_out={output.name}", *files]
        subprocess.run(command, cwd=protos, check=True)
        described = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(output.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClassesForFiles([file.name for file in described.file], pool)


class RawPeer:
    """One connection; stream ids are the caller's business."""

    def __init__(self, address, messages, *, seconds=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), seconds)
        self.messages = messages

    def close(self):
        self.socket.close()

    def send(self, stream, kind, flags, data=b"", *, bytes_at_once=None):
        frame = HEADER.pack(len(data), stream, kind, flags) + data
        for start in range(0, len(frame), bytes_at_once or len(frame)):
            self.socket.sendall(frame[start:start + (bytes_at_once or len(frame))])

    def receive(self):
        """(stream, kind, flags, data) of the next frame; None when the peer has closed."""
        header = self.read(HEADER.size)
        if header is None:
            return None
        size, stream, kind, flags = HEADER.unpack(header)
        return stream, kind, flags, self.read(size) if size else b""

    def read(self, count):
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            if not piece:
                return None
            found += piece
        return found

    def envelope(self, service, method, request, *, timeout_nano=0, metadata=()):
        envelope = self.messages["ttrpc.Request"](
            service=service, method=method, payload=request.SerializeToString(), timeout_nano=timeout_nano)
        for key, value in metadata:
            envelope.metadata.add(key=key, value=value)
        return envelope.SerializeToString()

    def request(self, stream, service, method, request, *, flags=0, bytes_at_once=None, **options):
        self.send(stream, REQUEST, flags, self.envelope(service, method, request, **options), bytes_at_once=bytes_at_once)

    def response(self, stream, kind=None):
        """(code, message of `kind` or None) of the next frame, which must be the response of that stream."""
        got, frame_kind, _, data = self.receive()
        assert (got, frame_kind) == (stream, RESPONSE), (got, frame_kind, data)
        envelope = self.messages["ttrpc.Response"].FromString(data)
        return envelope.status.code, self.messages[kind].FromString(envelope.payload) if kind else None
