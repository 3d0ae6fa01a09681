"""Tests of the protoc plugin: runs protoc with it over small .proto files."""

import pathlib
import subprocess
import tempfile
import unittest

PLUGIN = pathlib.Path(__file__).resolve().with_name("protoc-gen-backfill")


def generate(kind, text):
    """Gives the generated files by name, or protoc's complaint."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory)
        (path / "t.proto").write_text(text)
        (path / "out").mkdir()
        run = subprocess.run(
            ["protoc", "-I.", f"-I{PLUGIN.parents[1]}", f"--plugin=protoc-gen-backfill={PLUGIN}", f"--backfill_out={kind}:out", "t.proto"],
            cwd=path, capture_output=True, text=True,
        )
        files = {str(f.relative_to(path / "out")): f.read_text() for f in (path / "out").rglob("*") if f.is_file()}
        return files, run.stderr


class PluginTests(unittest.TestCase):
    HEAD = 'syntax = "proto3"; package t.v1;\n'

    def test_recursive_messages_are_refused_with_their_cycle(self):
        text = self.HEAD + "message A { B b = 1; } message B { repeated A a = 1; }"
        for kind in ("c", "swift"):
            files, complaint = generate(kind, text)
            self.assertEqual(files, {})
            self.assertIn(".t.v1.A -> .t.v1.B -> .t.v1.A", complaint)

    def test_proto2_is_refused(self):
        self.assertIn("only proto3", generate("c", 'syntax = "proto2"; message A {}')[1])

    def test_optional_is_supported_and_keeps_presence(self):
        text = self.HEAD + "message A { optional int64 n = 1; }"
        c, complaint = generate("c", text)
        self.assertEqual(complaint, "")
        self.assertIn("_n_case", c["include/t.pb-c.h"])
        self.assertIn("public var n: Int64?", generate("swift", text)[0]["t.pb.swift"])

    def test_strings_become_counted_bytes_in_fields_and_maps(self):
        header = generate("c", self.HEAD + "message A { string s = 1; map<string, string> m = 2; }")[0]["include/t.pb-c.h"]
        self.assertIn("ProtobufCBinaryData s;", header)
        self.assertIn("ProtobufCBinaryData key;", header)
        self.assertNotIn("char *", header)

    def test_a_oneof_becomes_an_enum(self):
        swift = generate("swift", self.HEAD + "message A { oneof part { string s = 1; int32 n = 2; } }")[0]["t.pb.swift"]
        self.assertIn("case s(String)", swift)
        self.assertIn("case n(Int32)", swift)

    ACCESS = HEAD + 'import "backfill/access/v1/access.proto"; message A {} service S { rpc M(A) returns (A) { %s } }'

    def test_a_method_has_the_roles_of_its_option_in_swift_and_none_in_c(self):
        text = self.ACCESS % "option (backfill.access.v1.allow) = {roles: [ROLE_GATEWAY, ROLE_OPERATOR]};"
        swift, complaint = generate("swift", text)
        self.assertEqual((complaint, sorted(swift)), ("", ["all_messages.pb.swift", "t.pb.swift"]))
        self.assertIn('name: "M", roles: [.gateway, .operator])', swift["t.pb.swift"])
        c, complaint = generate("c", text)
        self.assertEqual((complaint, sorted(c)), ("", ["include/t.pb-c.h", "t.pb-c.c"]))
        self.assertNotIn("access", "".join(c.values()))

    def test_a_method_that_does_not_say_who_may_call_it_is_refused(self):
        self.assertIn("t.v1.S/M: say who may call it", generate("swift", self.ACCESS % "")[1])
        nobody = "option (backfill.access.v1.allow) = {roles: [ROLE_UNSPECIFIED]};"
        self.assertIn("t.v1.S/M: role 0 means nobody", generate("swift", self.ACCESS % nobody)[1])

    def test_the_list_of_messages_has_nested_ones_and_no_map_entries(self):
        text = self.HEAD + "message B { map<string, string> m = 1; message Inner {} } message A {}"
        listed = generate("swift", text)[0]["all_messages.pb.swift"]
        names = [line.split('"')[1] for line in listed.splitlines() if "name: \"" in line]
        self.assertEqual(names, ["t.v1.A", "t.v1.B", "t.v1.B.Inner"])

    def test_a_method_may_be_declared_idempotent(self):
        text = self.HEAD + ("message A {} service S { rpc Get(A) returns (A) { option idempotency_level = NO_SIDE_EFFECTS; } "
                            "rpc Put(A) returns (A) { option idempotency_level = IDEMPOTENT; } rpc Add(A) returns (A); }")
        swift = generate("swift", text)[0]["t.pb.swift"]
        self.assertIn('name: "Get", isIdempotent: true)', swift)
        self.assertIn('name: "Put", isIdempotent: true)', swift)
        self.assertIn('name: "Add")', swift)

    def test_an_unknown_output_is_refused(self):
        self.assertIn("'c' or 'swift'", generate("java", self.HEAD + "message A {}")[1])


if __name__ == "__main__":
    unittest.main()
