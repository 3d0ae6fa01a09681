#!/usr/bin/env python3
"""Writes goldens.txt from protos: what Google's protobuf package encodes. Run it with .venv/bin/python.

A line is the name of a message, its bytes as a peer sends them, and those that today's code must encode after it has
decoded them ("-" for none). They are not the same where the peer knows fields that are not known here.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "EndToEnd"))

from raw_peer import messages
from sample_messages import add_unknown, alternatives, encode, filled, own_messages


def goldens(kinds):
    for name, kind in kinds.items():
        for alternative in range(alternatives(kind)):
            data = encode(filled(kind, alternative=alternative))
            yield name, data, data
        later = encode(filled(kind, unknown_enums=True))
        yield name, add_unknown(kind, later), later


def main():
    kinds = own_messages(messages(HERE / "protos"))
    lines = [f"{name} {sent.hex() or '-'} {kept.hex() or '-'}" for name, sent, kept in goldens(kinds)]
    (HERE / "goldens.txt").write_text("# Written by write_goldens.py.\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
