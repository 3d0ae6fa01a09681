"""The Swift side: one value type a message, with its conversion to and from protobuf-c's struct."""

import re

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2

import checks

Field = descriptor_pb2.FieldDescriptorProto
MethodOptions = descriptor_pb2.MethodOptions

# Proto type -> (Swift type, default, lift expression, lower expression); {0} is the value, {1} the
# field's number, nil where it is one of several.
SCALARS = {
    Field.TYPE_DOUBLE: ("Double", "0", "{0}", "{0}"),
    Field.TYPE_FLOAT: ("Float", "0", "{0}", "{0}"),
    Field.TYPE_INT32: ("Int32", "0", "{0}", "{0}"),
    Field.TYPE_SINT32: ("Int32", "0", "{0}", "{0}"),
    Field.TYPE_SFIXED32: ("Int32", "0", "{0}", "{0}"),
    Field.TYPE_UINT32: ("UInt32", "0", "{0}", "{0}"),
    Field.TYPE_FIXED32: ("UInt32", "0", "{0}", "{0}"),
    Field.TYPE_INT64: ("Int64", "0", "{0}", "{0}"),
    Field.TYPE_SINT64: ("Int64", "0", "{0}", "{0}"),
    Field.TYPE_SFIXED64: ("Int64", "0", "{0}", "{0}"),
    Field.TYPE_UINT64: ("UInt64", "0", "{0}", "{0}"),
    Field.TYPE_FIXED64: ("UInt64", "0", "{0}", "{0}"),
    Field.TYPE_BOOL: ("Bool", "false", "{0} != 0", "{0} ? 1 : 0"),
    Field.TYPE_STRING: ("String", '""', "try lift.string({0})", "try arena.string({0})"),
    Field.TYPE_BYTES: ("ByteBuffer", "ByteBuffer()", "lift.bytes({0}, field: {1})", "try arena.bytes({0})"),
}

# Packages whose types stand in a namespace of their own; the others are top level.
NAMESPACES = {"ttrpc": "Envelope"}

# (client streams, server streams) -> Swift type.
METHOD_TYPES = {
    (False, False): "RPCMethod",
    (False, True): "RPCServerStreamMethod",
    (True, False): "RPCClientStreamMethod",
    (True, True): "RPCBidirectionalMethod",
}


def camel(name):
    parts = name.split("_")
    spelled = [part.upper() if index and part in ("id", "url") else part[:1].upper() + part[1:] if index else part
               for index, part in enumerate(parts)]
    return "".join(spelled)


def c_type(full_name):
    """protobuf-c's struct name for `.backfill.v1.FileStatus`: parts joined by two underscores, first letter raised."""
    return "__".join(part[:1].upper() + part[1:] for part in full_name.strip(".").split("."))


def c_function(full_name):
    def lower(part):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", part).lower()

    return "__".join(lower(part) for part in full_name.strip(".").split("."))


def underscore_camel(name):
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


class Writer:
    def __init__(self):
        self.lines = []
        self.depth = 0

    def line(self, text=""):
        self.lines.append("    " * self.depth + text if text else "")

    def open(self, text):
        self.line(text + " {")
        self.depth += 1

    def close(self):
        self.depth -= 1
        self.line("}")

    def doc(self, text, otherwise):
        for row in (text or otherwise).strip().split("\n"):
            self.line(f"/// {row.strip()}".rstrip())

    def text(self):
        return "\n".join(self.lines) + "\n"


class FileOutput:
    def __init__(self, file, messages, roles):
        self.file = file
        self.roles = roles
        self.messages = messages
        self.out = Writer()
        self.comments = {tuple(loc.path): loc.leading_comments for loc in file.source_code_info.location}
        self.namespace = NAMESPACES.get(file.package)

    def swift_type(self, type_name):
        parts = type_name.strip(".").split(".")
        for package, namespace in [(self.file.package, self.namespace)] + list(NAMESPACES.items()):
            prefix = package.split(".")
            if parts[:len(prefix)] == prefix:
                rest = parts[len(prefix):]
                return ".".join([namespace] + rest if namespace else rest)
        raise checks.Refused(f"{type_name} is in a package this file does not know")

    def generate(self):
        out = self.out
        out.line(f"// Generated from {self.file.name} by `make protos`. Do not edit.")
        out.line("// swift-format-ignore-file")
        out.line()
        out.line("public import NIOCore")
        out.line("internal import ProtoGenerated")
        out.line()
        if self.namespace:
            out.doc("", f"The messages of {self.file.name}.")
            out.open(f"public enum {self.namespace}")
            out.close()
            out.line()
            out.open(f"extension {self.namespace}")
        for index, enum in enumerate(self.file.enum_type):
            self.enum(enum, (5, index))
        for index, message in enumerate(self.file.message_type):
            self.message(message, f".{self.file.package}.{message.name}", (4, index))
        if self.namespace:
            out.close()
        for index, service in enumerate(self.file.service):
            self.service(service, (6, index))
        return out.text()

    def enum(self, enum, path):
        out = self.out
        out.doc(self.comments.get(path), f"`{enum.name}` of {self.file.name}.")
        out.open(f"public struct {enum.name}: RawRepresentable, Sendable, Hashable")
        out.line("/// Number on the wire; numbers without a name are kept as they came.")
        out.line("public var rawValue: Int32")
        out.line("/// Wraps a number.")
        out.line("public init(rawValue: Int32) { self.rawValue = rawValue }")
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
        for index, value in enumerate(enum.value):
            short = value.name[len(prefix):] if value.name.startswith(prefix) else value.name
            out.doc(self.comments.get(path + (2, index)), f"{value.name}.")
            out.line(f"public static let {camel(short.lower())} = {enum.name}(rawValue: {value.number})")
        out.close()
        out.line()

    def message(self, message, full_name, path):
        out = self.out
        fields = Fields(self, message, full_name, path)
        out.doc(self.comments.get(path), f"`{message.name}` of {self.file.name}.")
        out.open(f"public struct {message.name}: ProtoMessage")
        for member in fields.members:
            out.doc(member.comment, f"`{member.proto_name}` of the message.")
            out.line(f"public var {member.name}: {member.type}")
        fields.oneof_enums(out)
        self.inits(fields)
        out.line()
        out.line("/// Decodes a message; every byte sequence is either a value or an error.")
        out.line("public init(")
        out.line("    serialized bytes: UnsafeRawBufferPointer,")
        out.line("    in buffer: ByteBuffer?,")
        out.line("    limits: ProtoDecodingLimits")
        out.open(") throws(ProtoDecodingError)")
        out.line("self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)")
        out.close()
        out.line()
        out.line("/// Calls `body` once with the message ready to be written.")
        out.open("public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError)")
        out.line("try ProtoCodec.encode(self, body)")
        out.close()
        out.close()
        out.line()
        self.conversion(message, full_name, fields)

    def inits(self, fields):
        out = self.out
        out.line()
        out.line("/// Makes a message; what is not given keeps its proto3 default.")
        if not fields.members:
            out.line("public init() {}")
            return
        parameters = ", ".join(f"{m.name}: {m.type} = {m.default}" for m in fields.members)
        out.open(f"public init({parameters})")
        for member in fields.members:
            out.line(f"self.{member.name} = {member.name}")
        out.close()
        out.line()
        out.line("/// Makes the default message.")
        out.line("public init() { " + f"self.init({fields.members[0].name}: {fields.members[0].default})" + " }")

    def conversion(self, message, full_name, fields):
        out = self.out
        # An extension inside the namespace's extension is not Swift: name the type in full.
        name = self.swift_type(full_name)
        if self.namespace:
            out.close()
            out.line()
        out.open(f"extension {name}: ProtobufCConvertible")
        out.line(f"typealias CMessage = {c_type(full_name)}")
        out.line()
        out.line(f"static func initialize(_ message: UnsafeMutablePointer<CMessage>) "
                 f"{{ {c_function(full_name)}__init(message) }}")
        out.line()
        out.open("init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError)")
        # Lists and maps are filled one by one; the others are set once, or are nil.
        if not fields.members or any(isinstance(member, (RepeatedField, MapField)) for member in fields.members):
            out.line("self.init()")
        for member in fields.members:
            member.lift(out)
        out.close()
        out.line()
        out.open("func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError)")
        for member in fields.members:
            member.lower(out)
        out.close()
        out.close()
        out.line()
        for entry in fields.map_entries:
            self.map_entry(entry)
        if self.namespace:
            out.open(f"extension {self.namespace}")

    def service(self, service, path):
        out = self.out
        full = f"{self.file.package}.{service.name}"
        out.doc(self.comments.get(path), f"The service `{full}`.")
        out.open(f"public enum {service.name}Service")
        out.line("/// Full name on the wire.")
        out.line(f'public static let name = "{full}"')
        for index, method in enumerate(service.method):
            out.doc(self.comments.get(path + (2, index)), f"`{full}/{method.name}`.")
            name = method.name[:1].lower() + method.name[1:]
            kind = METHOD_TYPES[method.client_streaming, method.server_streaming]
            types = f"{self.swift_type(method.input_type)}, {self.swift_type(method.output_type)}"
            roles = self.roles.roles(f"{full}/{method.name}", method)
            arguments = f'service: name, name: "{method.name}"' + (f", roles: [{', '.join(roles)}]" if roles else "")
            # Only unary calls are made again.
            harmless = kind == "RPCMethod" and method.options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
            arguments += ", isIdempotent: true" if harmless else ""
            out.line(f"public static let {name} = {kind}<{types}>({arguments})")
        out.close()
        out.line()


class Fields:
    """The Swift members of one message."""

    def __init__(self, file, message, full_name, path):
        self.message, self.full_name = message, full_name
        self.members, self.map_entries, self.oneofs = [], [], {}
        for index, field in enumerate(message.field):
            comment = file.comments.get(path + (2, index), "")
            if field.HasField("oneof_index") and not field.proto3_optional:
                name = message.oneof_decl[field.oneof_index].name
                if name not in self.oneofs:
                    self.oneofs[name] = OneofMember(name, full_name)
                    self.members.append(self.oneofs[name])
                self.oneofs[name].cases.append((PlainField(file, field, comment), field.number))
            elif is_map(file, field):
                self.members.append(MapField(file, field, comment))
            elif field.label == Field.LABEL_REPEATED:
                self.members.append(RepeatedField(file, field, comment))
            elif field.proto3_optional:
                self.members.append(OptionalField(file, field, comment, full_name))
            elif field.type == Field.TYPE_MESSAGE:
                self.members.append(MessageField(file, field, comment))
            else:
                self.members.append(PlainField(file, field, comment))

    def oneof_enums(self, out):
        for oneof in self.oneofs.values():
            oneof.declare(out)


def is_map(file, field):
    return field.type == Field.TYPE_MESSAGE and file.messages[field.type_name].options.map_entry


class PlainField:
    """A field that is always there: scalar, string, bytes or enum (or, inside a oneof, a message)."""

    def __init__(self, file, field, comment):
        self.field, self.comment = field, comment
        self.proto_name, self.name = field.name, camel(field.name)
        self.c_name = field.name.lower()
        if field.type == Field.TYPE_MESSAGE:
            self.type = file.swift_type(field.type_name)
            self.default = f"{self.type}()"
            self.lifted = f"try lift.message({self.type}.self, {{0}})"
            self.lowered = "try arena.message({0})"
        elif field.type == Field.TYPE_ENUM:
            self.type = file.swift_type(field.type_name)
            self.default = f"{self.type}(rawValue: 0)"
            self.lifted = f"{self.type}(rawValue: Int32(bitPattern: {{0}}.rawValue))"
            self.lowered = f"{c_type(field.type_name)}(rawValue: UInt32(bitPattern: {{0}}.rawValue))"
        else:
            self.type, self.default, self.lifted, self.lowered = SCALARS[field.type]

    def lift(self, out):
        out.line(f"self.{self.name} = {self.lifted.format('message.' + self.c_name, self.field.number)}")

    def lower(self, out):
        out.line(f"message.{self.c_name} = {self.lowered.format('self.' + self.name)}")


class MessageField(PlainField):
    """A message field: absent is nil."""

    def __init__(self, file, field, comment):
        super().__init__(file, field, comment)
        self.bare = self.type
        self.type, self.default = f"{self.bare}?", "nil"

    def lift(self, out):
        out.open(f"if let pointer = message.{self.c_name}")
        out.line(f"self.{self.name} = try {self.bare}(lifting: pointer.pointee, with: lift.inner)")
        out.close()

    def lower(self, out):
        out.line(f"if let value = self.{self.name} {{ message.{self.c_name} = try arena.message(value) }}")


class OptionalField(PlainField):
    """proto3 `optional`: protobuf-c keeps presence in `_name_case`."""

    def __init__(self, file, field, comment, full_name):
        super().__init__(file, field, comment)
        if field.type == Field.TYPE_MESSAGE:
            raise checks.Refused(f"{full_name}.{field.name}: `optional` on a message says nothing, leave it out")
        self.number = field.number
        self.case = f"_{self.c_name}_case"
        self.case_type = f"{c_type(full_name)}__{underscore_camel('_' + field.name)}Case"
        self.type, self.default = f"{self.type}?", "nil"

    def lift(self, out):
        value = self.lifted.format("message." + self.c_name, self.number)
        out.line(f"if message.{self.case}.rawValue == {self.number} {{ self.{self.name} = {value} }}")

    def lower(self, out):
        out.open(f"if let value = self.{self.name}")
        out.line(f"message.{self.case} = {self.case_type}(rawValue: {self.number})")
        out.line(f"message.{self.c_name} = {self.lowered.format('value')}")
        out.close()


class RepeatedField(PlainField):
    def __init__(self, file, field, comment):
        super().__init__(file, field, comment)
        self.element = self.type
        self.is_message = field.type == Field.TYPE_MESSAGE
        self.type, self.default = f"[{self.element}]", "[]"

    def lift(self, out):
        array = f"message.n_{self.c_name}, message.{self.c_name}"
        if self.is_message:
            out.line(f"self.{self.name} = try lift.messages({self.element}.self, {array})")
        else:
            element = self.lifted.format("element", "nil")
            out.open(f"for index in 0..<message.n_{self.c_name}")
            out.line(f"guard let element = message.{self.c_name}?[index] else {{ throw .malformed }}")
            out.line(f"self.{self.name}.append({element})")
            out.close()

    def lower(self, out):
        out.line(f"message.n_{self.c_name} = self.{self.name}.count")
        out.open(f"message.{self.c_name} = try arena.array(self.{self.name})"
                 f" {{ element throws(ProtoEncodingError) in")
        out.lines[-1] = out.lines[-1][: -len(" {")]
        out.line(self.lowered.format("element"))
        out.close()


class MapField:
    """map<string, string>: a repeated entry message on the wire; of two equal keys the last one counts."""

    def __init__(self, file, field, comment):
        entry = file.messages[field.type_name]
        if any(member.type != Field.TYPE_STRING for member in entry.field):
            raise checks.Refused(f"{field.type_name}: only map<string, string> is supported")
        self.comment, self.proto_name, self.name = comment, field.name, camel(field.name)
        self.c_name, self.entry = field.name.lower(), field.type_name
        self.type, self.default = "[String: String]", "[:]"

    def lift(self, out):
        out.open(f"for index in 0..<message.n_{self.c_name}")
        out.line(f"guard let entry = message.{self.c_name}?[index] else {{ throw .malformed }}")
        out.line(f"self.{self.name}[try lift.string(entry.pointee.key)] = try lift.string(entry.pointee.value)")
        out.close()

    def lower(self, out):
        c_entry = c_type(self.entry)
        out.line(f"let {self.name}Entries = self.{self.name}.sorted {{ $0.key < $1.key }}")
        out.line(f"message.n_{self.c_name} = {self.name}Entries.count")
        out.open(f"message.{self.c_name} = try arena.array({self.name}Entries)"
                 f" {{ pair throws(ProtoEncodingError) in")
        out.lines[-1] = out.lines[-1][: -len(" {")]
        out.line(f"let entry = try arena.allocate({c_entry}.self)")
        out.line(f"{c_function(self.entry)}__init(entry)")
        out.line("entry.pointee.key = try arena.string(pair.key)")
        out.line("entry.pointee.value = try arena.string(pair.value)")
        out.line("return entry")
        out.close()


class OneofMember:
    """A oneof: an optional enum with one case a field."""

    def __init__(self, name, full_name):
        self.proto_name, self.name, self.full_name = name, camel(name), full_name
        self.cases, self.comment = [], f"Which of the alternatives of `{name}` is set; nil: none."
        self.enum = underscore_camel(name)
        self.type, self.default = f"{self.enum}?", "nil"

    def declare(self, out):
        out.line()
        out.doc("", f"The alternatives of `{self.proto_name}`.")
        out.open(f"public enum {self.enum}: Sendable, Equatable")
        for field, _ in self.cases:
            out.doc(field.comment, f"`{field.proto_name}`.")
            out.line(f"case {field.name}({field.type})")
        out.close()

    def lift(self, out):
        out.line(f"switch message.{self.proto_name}_case.rawValue {{")
        for field, number in self.cases:
            out.line(f"case {number}: self.{self.name} = .{field.name}({field.lifted.format('message.' + field.c_name, number)})")
        out.line("default: break")
        out.line("}")

    def lower(self, out):
        case_type = f"{c_type(self.full_name)}__{self.enum}Case"
        out.line(f"switch self.{self.name} {{")
        for field, number in self.cases:
            out.line(f"case .{field.name}(let value):")
            out.line(f"    message.{self.proto_name}_case = {case_type}(rawValue: {number})")
            out.line(f"    message.{field.c_name} = {field.lowered.format('value')}")
        out.line("case nil: break")
        out.line("}")


def all_messages(files, messages, roles):
    """A list of the messages of all files, so that what must hold for each of them is tested without naming it."""
    out = Writer()
    out.line("// Generated from all .proto files by `make protos`. Do not edit.")
    out.line("// swift-format-ignore-file")
    out.line()
    out.line("/// The messages of all .proto files.")
    out.open("public enum AllMessages")
    out.line("/// Full name on the wire and Swift type of each, sorted by name.")
    out.line("public static let types: [(name: String, type: any ProtoMessage.Type)] = [")
    found = {}
    for file in files:
        output = FileOutput(file, messages, roles)
        for name, message in checks.messages_by_name([file]).items():
            if not message.options.map_entry:
                found[name.lstrip(".")] = output.swift_type(name)
    for name in sorted(found):
        out.line(f'    (name: "{name}", type: {found[name]}.self),')
    out.line("]")
    out.close()
    return out.text()


def generate(request, roles):
    response = plugin_pb2.CodeGeneratorResponse()
    messages = checks.messages_by_name(request.proto_file)
    files = [file for file in request.proto_file if file.name in request.file_to_generate]
    for file in files:
        name = file.name.replace("/", "_").replace(".proto", ".pb.swift")
        response.file.add(name=name, content=FileOutput(file, messages, roles).generate())
    response.file.add(name="all_messages.pb.swift", content=all_messages(files, messages, roles))
    return response
