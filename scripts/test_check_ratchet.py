#!/usr/bin/env python3
"""`check_ratchet.py` says it when results are not as the ratchet file says."""

import pathlib
import tempfile
import unittest

import check_ratchet

ELEVEN = "".join(f"passing B5-03{n} {name}\n    a.B.c\n" for n, name in enumerate(sorted(check_ratchet.LLM_D)))
REST = "".join(f"not-applicable {name} x\n    a reason\n" for name in sorted(check_ratchet.WANTED))
GOOD = f"# a comment\n\n{ELEVEN}{REST}"


class Ratchet(unittest.TestCase):
    def check(self, more="", results=None, text=GOOD):
        return check_ratchet.problems(text + more, {"a.B.c": "passed", **(results or {})})

    def test_what_is_as_it_says_is_fine(self):
        self.assertEqual(self.check("passing X a\n  t.A.b\n  T.S/u\n", {"t.A.b": "passed", "T.S/u": "passed"}), [])
        self.assertEqual(self.check("known-broken X a\n  t.A.b  t.A.c\n", {"t.A.b": "failed", "t.A.c": "passed"}), [])

    def test_a_passing_scenario_must_run_and_pass(self):
        for outcome, text in (("failed", "t.A.b failed"), ("skipped", "t.A.b was skipped")):
            self.assertEqual(self.check("passing X a\n  t.A.b\n", {"t.A.b": outcome}), [f"X a: {text}"])
        self.assertEqual(self.check("passing X a\n  t.A.b\n"), ["X a: t.A.b not run"])

    def test_a_broken_scenario_that_passes_must_be_moved(self):
        found = self.check("known-broken X a\n  t.A.b\n", {"t.A.b": "passed"})
        self.assertEqual(found, ["X a: its tests pass: move it to passing"])

    def test_a_broken_scenario_must_run(self):
        self.assertEqual(self.check("known-broken X a\n  t.A.b\n"), ["X a: t.A.b not run"])

    def test_every_scenario_has_tests_or_a_reason(self):
        self.assertEqual(self.check("passing X a\nnot-applicable Y b\n"), ["X a: no test shows it", "Y b: no reason is given"])

    def test_the_eleven_are_there_and_not_broken(self):
        self.assertIn("orphaned_blob is not in the file", self.check(text=GOOD.replace("orphaned_blob", "other")))
        for state in ("known-broken", "not-applicable"):
            text = GOOD.replace("passing B5-030", f"{state} B5-030")
            self.assertTrue(any("of the eleven" in problem for problem in self.check(text=text)))

    def test_no_scenario_is_lost_or_doubled(self):
        self.assertIn("S7 is not in the file", self.check(text=GOOD.replace("S7 x", "S x")))
        self.assertIn("S7 is there twice", self.check("not-applicable S7 x\n  a reason\n"))

    def test_a_line_that_is_none_is_named(self):
        self.assertEqual(self.check(text="passing X\n"), ["line 1 is not 'STATE ID NAME': passing X"])
        self.assertEqual(self.check(text="  t.A.b\n"), ["line 1 belongs to no scenario"])

    def test_failures_are_expected_only_where_every_scenario_of_a_test_is_broken(self):
        text = "known-broken X a\n  t.A.b t.A.c\npassing Y b\n  t.A.c\n"
        self.assertEqual(check_ratchet.known_broken(text), {"t.A.b"})

    def test_results_of_both_kinds_are_read(self):
        with tempfile.TemporaryDirectory() as directory:
            lines, xml = pathlib.Path(directory, "a.jsonl"), pathlib.Path(directory, "b.xml")
            lines.write_text('{"test": "t.A.b", "outcome": "passed"}\n{"test": "t.A.c", "outcome": "failed"}\n'
                             '{"test": "t.A.c", "outcome": "passed"}\n')
            xml.write_text('<testsuites><testsuite><testcase classname="T.S" name="u(_:)"/>'
                           '<testcase classname="T.S" name="v()"><failure message="x"/></testcase>'
                           '<testcase classname="T.S" name="w()"><skipped/></testcase></testsuite></testsuites>')
            self.assertEqual(check_ratchet.outcomes([str(lines), str(xml)]), {
                "t.A.b": "passed", "t.A.c": "failed", "T.S/u": "passed", "T.S/v": "failed", "T.S/w": "skipped"})


if __name__ == "__main__":
    unittest.main()
