"""What the .proto files may not contain."""

from google.protobuf import descriptor_pb2

Field = descriptor_pb2.FieldDescriptorProto


class Refused(Exception):
    """A .proto file asks for something that cannot be generated safely."""


def messages_by_name(files):
    """All messages of `files`, nested ones included, by full name with a leading dot."""
    found = {}

    def visit(prefix, message):
        name = f"{prefix}.{message.name}"
        found[name] = message
        for nested in message.nested_type:
            visit(name, nested)

    for file in files:
        for message in file.message_type:
            visit(f".{file.package}", message)
    return found


def refuse_unsupported(request):
    for file in request.proto_file:
        if file.syntax != "proto3":
            raise Refused(f"{file.name}: only proto3 is supported")
    messages = messages_by_name(request.proto_file)
    for name, message in messages.items():
        for field in message.field:
            if field.type == Field.TYPE_GROUP:
                raise Refused(f"{name}.{field.name}: groups are not supported")
    refuse_recursion(messages)


def refuse_recursion(messages):
    finished = set()

    def visit(name, path):
        if name in path:
            cycle = " -> ".join(path[path.index(name):] + [name])
            raise Refused(f"recursive message {cycle}: protobuf-c's unpack has no depth limit, so use ids or a list")
        if name in finished:
            return
        for field in messages[name].field:
            if field.type == Field.TYPE_MESSAGE:
                visit(field.type_name, path + [name])
        finished.add(name)

    for name in messages:
        visit(name, [])
