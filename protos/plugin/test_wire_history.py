"""Tests of the history of the wire: what another version would misread is refused."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().with_name("wire_history.py")
FIRST = """
message A { int64 a = 1; repeated string b = 2; oneof c { bytes d = 3; A2 e = 4; } }
message A2 {}
enum E { NONE = 0; ONE = 1; }
service S { rpc Get(A) returns (A2); rpc Watch(A) returns (stream A2); }
"""


class WireHistory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        self.assertEqual(self.run_over(FIRST, "--update"), "")

    def run_over(self, text, *arguments):
        """The complaints about one .proto file."""
        (self.path / "t.proto").write_text(f'syntax = "proto3"; package t.v1; {text}')
        subprocess.run(["protoc", "--descriptor_set_out=d", "t.proto"], cwd=self.path, check=True)
        run = subprocess.run(
            [sys.executable, "-B", PROGRAM, *arguments, "d", "wire.txt"], cwd=self.path, capture_output=True, text=True)
        self.assertEqual(run.returncode != 0, run.stderr != "", run.stderr)
        return run.stderr

    def check_refused(self, old, new, complaint):
        self.assertIn(old, FIRST)
        text = FIRST.replace(old, new)
        for arguments in ([], ["--update"]):
            self.assertIn(complaint, self.run_over(text, *arguments))
        self.assertEqual(self.run_over(FIRST), "")

    def test_the_same_files_are_fine(self):
        self.assertEqual(self.run_over(FIRST), "")

    def test_another_type_is_refused(self):
        self.check_refused("int64 a", "string a", "field t.v1.A 1 was 'a int64' and is 'a string'")

    def test_repeated_that_was_not_is_refused(self):
        self.check_refused("int64 a", "repeated int64 a", "field t.v1.A 1 was")

    def test_a_number_with_another_name_is_refused(self):
        self.check_refused("int64 a", "int64 z", "field t.v1.A 1 was")

    def test_a_field_that_leaves_its_oneof_is_refused(self):
        self.check_refused("oneof c { bytes d = 3; A2 e = 4; }", "bytes d = 3; A2 e = 4;", "field t.v1.A 3 was")

    def test_another_message_is_refused(self):
        self.check_refused("A2 e = 4", "E e = 4", "field t.v1.A 4 was")

    def test_a_field_that_is_gone_without_a_reservation_is_refused(self):
        self.check_refused("int64 a = 1;", "", "field t.v1.A 1 ('a int64') is gone: add 'reserved 1;'")

    def test_an_enum_value_that_is_renamed_or_gone_is_refused(self):
        self.check_refused("ONE = 1;", "TWO = 1;", "value t.v1.E 1 was")
        self.check_refused("ONE = 1;", "", "value t.v1.E 1 ('ONE') is gone")

    def test_a_method_with_other_messages_or_streams_is_refused(self):
        self.check_refused("rpc Get(A) returns (A2)", "rpc Get(A2) returns (A2)", "method t.v1.S Get was")
        self.check_refused("returns (stream A2)", "returns (A2)", "method t.v1.S Watch was")

    def test_a_reserved_number_stays_reserved(self):
        gone = FIRST.replace("int64 a = 1;", "reserved 1;")
        self.assertEqual(self.run_over(gone), "")
        self.assertEqual(self.run_over(gone, "--update"), "")
        back = FIRST.replace("int64 a = 1;", "string other = 1;")
        self.assertIn("was 'a int64'", self.run_over(back, "--update"))

    def test_what_is_new_is_added_by_an_update_only(self):
        more = FIRST.replace("int64 a = 1;", "int64 a = 1; bool f = 9;")
        self.assertIn("is not in wire.txt: run 'make protos'", self.run_over(more))
        self.assertEqual(self.run_over(more, "--update"), "")
        self.assertEqual(self.run_over(more), "")
        self.assertIn("is gone", self.run_over(FIRST))


if __name__ == "__main__":
    unittest.main()
