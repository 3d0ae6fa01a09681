"""The C side: protoc-gen-c over a changed copy of the request."""

import subprocess

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2

import checks

# FieldOptions extension 1019 (protobuf-c/protobuf-c.proto) holding {string_as_bytes = true}: tag, length, content.
STRING_AS_BYTES = bytes([0xDA, 0x3F, 0x02, 0x08, 0x01])


def generate(request):
    changed = plugin_pb2.CodeGeneratorRequest()
    changed.CopyFrom(request)
    changed.parameter = ""
    for message in checks.messages_by_name(changed.proto_file).values():
        for field in message.field:
            if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                field.options.MergeFromString(STRING_AS_BYTES)
    run = subprocess.run(["protoc-gen-c"], input=changed.SerializeToString(), stdout=subprocess.PIPE, check=True)
    response = plugin_pb2.CodeGeneratorResponse.FromString(run.stdout)
    for file in response.file:
        if file.name.endswith(".h"):
            file.name = f"include/{file.name}"
    return response
