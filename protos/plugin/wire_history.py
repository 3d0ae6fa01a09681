"""Keeps the meaning of every number on the wire: a field, enum value or method that once was may not become another.

    wire_history.py [--update] DESCRIPTORS HISTORY

DESCRIPTORS is what `protoc --descriptor_set_out` gives. HISTORY has a line for everything that ever was:

    field package.Message 3 name type
    value package.Enum 1 NAME
    method package.Service Name package.Request stream package.Response

Lines are never taken out: what is gone from the .proto files stays here, and there as `reserved`, so that a peer of
another version cannot misread it. --update adds what is new; nothing makes it change what is there.
"""

import pathlib
import sys

from google.protobuf import descriptor_pb2

import checks

Field = descriptor_pb2.FieldDescriptorProto


def type_of(field):
    kind = field.type_name.lstrip(".") or Field.Type.Name(field.type)[5:].lower()
    if field.label == Field.LABEL_REPEATED:
        return f"repeated:{kind}"
    return f"oneof:{kind}" if field.HasField("oneof_index") and not field.proto3_optional else kind


def enums_by_name(file, messages):
    yield from ((f"{file.package}.{enum.name}", enum) for enum in file.enum_type)
    for name, message in messages.items():
        yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)


def entries(files):
    """Everything on the wire: what it is of and its number (or name, of a method) -> what it means."""
    found = {}
    for file in files:
        messages = {name.lstrip("."): message for name, message in checks.messages_by_name([file]).items()}
        for name, message in messages.items():
            for field in message.field:
                found["field", name, str(field.number)] = f"{field.name} {type_of(field)}"
        for name, enum in enums_by_name(file, messages):
            for value in enum.value:
                found["value", name, str(value.number)] = value.name
        for service in file.service:
            for method in service.method:
                ways = [
                    ("stream " if streams else "") + kind.lstrip(".")
                    for streams, kind in (
                        (method.client_streaming, method.input_type), (method.server_streaming, method.output_type))
                ]
                found["method", f"{file.package}.{service.name}", method.name] = " ".join(ways)
    return found


def reserved(files):
    """Numbers that nothing may use again, by full name."""
    found = {}
    for file in files:
        messages = {name.lstrip("."): message for name, message in checks.messages_by_name([file]).items()}
        for name, message in messages.items():
            found[name] = {n for r in message.reserved_range for n in range(r.start, min(r.end, r.start + 10_000))}
        for name, enum in enums_by_name(file, messages):
            found[name] = {n for r in enum.reserved_range for n in range(r.start, min(r.end, r.start + 10_000) + 1)}
    return found


def read(text):
    past = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, owner, number, meaning = line.split(" ", 3)
            past[kind, owner, number] = meaning
    return past


def write(history):
    def order(key):
        kind, owner, number = key
        return owner, kind, int(number) if number.lstrip("-").isdigit() else 0, number

    head = "# What every number on the wire means; see protos/plugin/wire_history.py. Lines are only ever added.\n"
    return head + "".join(f"{' '.join(key)} {history[key]}\n" for key in sorted(history, key=order))


def problems(now, past, reserved_numbers):
    """What a peer of another version would misunderstand."""
    messages_there = {owner for _, owner, _ in now}
    for key, meaning in past.items():
        kind, owner, number = key
        if key in now:
            if now[key] != meaning:
                yield f"{kind} {owner} {number} was '{meaning}' and is '{now[key]}': take a new number"
        elif kind != "method" and owner in messages_there and int(number) not in reserved_numbers.get(owner, ()):
            yield f"{kind} {owner} {number} ('{meaning}') is gone: add 'reserved {number};' to {owner}"


def main(arguments):
    update = arguments[0] == "--update"
    descriptors, history = map(pathlib.Path, arguments[update:])
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file
    now, past = entries(files), read(history.read_text() if history.exists() else "")
    found = list(problems(now, past, reserved(files)))
    missing = now.keys() - past.keys()
    if missing and not update:
        found += [f"{' '.join(key)} is not in {history.name}: run 'make protos'" for key in sorted(missing)]
    if update and not found:
        history.write_text(write(now | past))
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
