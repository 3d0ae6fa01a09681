"""Values for every field of any message, the same in each run: for goldens and for the corpus of the fuzzer.

A message that is filled is one another version may send: `add_unknown` appends fields that nobody knows.
"""

from google.protobuf import descriptor

Field = descriptor.FieldDescriptor
# One field of each wire type that proto3 has, with numbers that no message uses.
UNKNOWN_FIELDS = bytes.fromhex(
    "c0bb01" "ffffffffffffffffff01"  # 3000, varint: the largest
    "c9bb01" "0102030405060708"  # 3001, eight bytes
    "d2bb01" "03" "0a0161"  # 3002, a message or a string
    "ddbb01" "01020304"  # 3003, four bytes
    "e2bb01" "00"  # 3004, nothing
)
UNKNOWN_ENUM_VALUE = 1_000
INTEGERS = {
    Field.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1), Field.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    Field.CPPTYPE_UINT32: (1, (1 << 32) - 1), Field.CPPTYPE_UINT64: (1, (1 << 64) - 1),
}


def own_messages(kinds):
    """Those of the classes that are sent as messages, by name: no entries of maps, and nothing of options."""
    return {
        name: kind for name, kind in sorted(kinds.items())
        if not kind.DESCRIPTOR.GetOptions().map_entry and not name.startswith(("google.", "backfill.access."))
    }


def filled(kind, *, alternative=0, unknown_enums=False):
    """A message of the class with a value in every field; of a oneof in one, counted round from `alternative`."""
    message = kind()
    skipped = set()
    for oneof in kind.DESCRIPTOR.oneofs:
        if len(oneof.fields) > 1:
            chosen = oneof.fields[alternative % len(oneof.fields)]
            skipped |= {field.name for field in oneof.fields if field is not chosen}
    for field in kind.DESCRIPTOR.fields:
        if field.name not in skipped:
            fill(message, field, alternative, unknown_enums)
    return message


def fill(message, field, alternative, unknown_enums):
    repeated = field.label == Field.LABEL_REPEATED
    if field.message_type and field.message_type.GetOptions().map_entry:
        getattr(message, field.name).update({"a": "first", "key é": "value\0"})
    elif field.message_type:
        kind = field.message_type._concrete_class
        inner = filled(kind, alternative=alternative, unknown_enums=unknown_enums)
        if repeated:
            getattr(message, field.name).extend([inner, kind()])
        else:
            getattr(message, field.name).CopyFrom(inner)
    elif repeated:
        getattr(message, field.name).extend(values(field, unknown_enums))
    else:
        setattr(message, field.name, values(field, unknown_enums)[-1])


def values(field, unknown_enums=False):
    """Two values of a field that holds no message; the last one is not the default."""
    if field.enum_type:
        return [0, UNKNOWN_ENUM_VALUE if unknown_enums else field.enum_type.values[-1].number]
    if field.type == Field.TYPE_STRING:
        return ["", f"{field.name} é\0🚀"]
    if field.type == Field.TYPE_BYTES:
        return [b"", b"\0\xff" + field.name.encode()]
    if field.cpp_type == Field.CPPTYPE_BOOL:
        return [False, True]
    if field.cpp_type in INTEGERS:
        return list(INTEGERS[field.cpp_type])
    return [-0.5, 1.5]


def encode(message):
    """The same bytes for the same message in each run."""
    return message.SerializeToString(deterministic=True)


def alternatives(kind):
    """How many fillings it takes to see every field of every oneof of the class itself."""
    return max([1, *(len(oneof.fields) for oneof in kind.DESCRIPTOR.oneofs)])


def add_unknown(kind, data):
    """The encoded message as a later version may send it: with fields of each wire type that are not known here, also
    in the messages that it holds."""
    message = kind.FromString(data)
    for field, value in message.ListFields():
        if not field.message_type or field.message_type.GetOptions().map_entry:
            continue
        for inner in value if field.label == Field.LABEL_REPEATED else [value]:
            inner.ParseFromString(add_unknown(type(inner), encode(inner)))
    return encode(message) + UNKNOWN_FIELDS
