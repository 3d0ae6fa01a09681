"""What is left of a directory after a loss of power: the bytes and the names that were synced, and nothing else.

Reads the trace of `recorder.c`. The model is the strictest that POSIX allows: a file has the bytes of its last sync, a
directory the names of its last sync; a file whose name was synced and whose bytes never were is empty.
"""

import dataclasses
import json
import os
import pathlib


@dataclasses.dataclass
class File:
    live: bytearray = dataclasses.field(default_factory=bytearray)
    synced: bytes = b""


class Directory(dict):
    """Names as of the last sync, to what they name."""


class Disk:
    """Follows a trace step by step."""

    def __init__(self, root):
        self.root = root
        self.names = {root: Directory()}
        self.by_inode = {}

    def apply(self, record, data):
        """One record; whether it made something durable."""
        getattr(self, "do_" + record["op"])(record, data)
        return record["op"] == "sync"

    def do_create(self, record, _):
        self.names[record["path"]] = self.by_inode[record["inode"]] = File()

    def do_mkdir(self, record, _):
        # The root is there before the run.
        node = self.names[self.root] if record["path"] == self.root else Directory()
        self.names[record["path"]] = self.by_inode[record["inode"]] = node

    def do_write(self, record, data):
        file = self.by_inode[record["inode"]]
        end = record["offset"] + len(data)
        if len(file.live) < end:
            file.live.extend(bytes(end - len(file.live)))
        file.live[record["offset"]:end] = data

    def do_truncate(self, record, _):
        live = self.by_inode[record["inode"]].live
        del live[record["size"]:]
        live.extend(bytes(record["size"] - len(live)))

    def do_extend(self, record, _):
        live = self.by_inode[record["inode"]].live
        live.extend(bytes(max(record["size"] - len(live), 0)))

    def do_rename(self, record, _):
        self.names[record["to"]] = self.names.pop(record["path"])

    def do_unlink(self, record, _):
        self.names.pop(record["path"], None)

    def do_sync(self, record, _):
        node = self.names.get(record["path"]) or self.by_inode.get(record["inode"])
        if isinstance(node, Directory) or record["path"] == self.root:
            self.sync_directory(record["path"])
        else:
            node = self.by_inode[record["inode"]]
            node.synced = bytes(node.live)

    def sync_directory(self, path):
        directory = self.names[path]
        directory.clear()
        for name, node in self.names.items():
            if os.path.dirname(name) == path:
                directory[os.path.basename(name)] = node

    def write_image(self, target, directory=None):
        """Makes what a loss of power would leave now."""
        target = pathlib.Path(target)
        target.mkdir(mode=0o700)
        for name, node in (self.names[self.root] if directory is None else directory).items():
            if isinstance(node, Directory):
                self.write_image(target / name, node)
            else:
                (target / name).write_bytes(node.synced)


def records(trace):
    """The records of a trace, with the bytes of writes."""
    with open(trace, "rb") as file:
        while line := file.readline():
            record = json.loads(line)
            yield record, file.read(record["bytes"]) if record["op"] == "write" else b""
