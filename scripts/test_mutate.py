#!/usr/bin/env python3
"""`mutate.py` refuses mutations that do not apply, and keeps the rows of those that did not run."""

import pathlib
import tempfile
import unittest

import mutate

TEXT = """title: a check
protects: what it checks
promises: I-01
test: swift A.B/c
=== a.swift
--- old
    check()
--- new
---
=== b.swift
--- old
one
two
--- new
two
---
"""


class Mutations(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "a.swift").write_text("start\n    check()\nend\n")
        (self.root / "b.swift").write_text("one\ntwo\n")

    def read(self, text=TEXT):
        path = self.root / "some_name.txt"
        path.write_text(text)
        return mutate.read(path)

    def test_a_mutation_changes_its_files(self):
        mutation = self.read()
        self.assertEqual((mutation.name, mutation.title, mutation.test), ("some_name", "a check", "swift A.B/c"))
        self.assertEqual(mutate.mutated(mutation, self.root), {"a.swift": "start\nend\n", "b.swift": "two\n"})

    def test_a_text_that_is_missing_or_there_twice_is_refused(self):
        for text in ("start\n", "    check()\n    check()\n"):
            (self.root / "a.swift").write_text(text)
            with self.assertRaises(mutate.BadMutation):
                mutate.mutated(self.read(), self.root)

    def test_a_file_that_is_not_as_it_should_be_is_refused(self):
        for old, new in (("promises: I-01\n", ""), ("--- new\n---", "---"), ("--- old\n    check()\n", "--- old\n")):
            with self.assertRaises(mutate.BadMutation):
                self.read(TEXT.replace(old, new, 1))

    def test_the_table_keeps_the_rows_of_what_did_not_run(self):
        page = self.root / "page.md"
        page.write_text(f"before\n{mutate.MARKERS[0]}\n{mutate.MARKERS[1]}\nafter\n")
        (self.root / "mutations").mkdir()
        for name in ("first", "second"):
            (self.root / "mutations" / f"{name}.txt").write_text(TEXT.replace("a check", f"the {name} check"))
        both = mutate.mutations(self.root / "mutations")
        mutate.write_table([(m, "caught", 1.2) for m in both], both, page)
        mutate.write_table([(both[1], "caught", 7.0), (both[0], "SURVIVED", 9.0)], both, page)
        rows = [line for line in page.read_text().splitlines() if " check |" in line]
        self.assertEqual(rows, ["| the first check | what it checks | I-01 | `A.B/c` | 1 |",
                                "| the second check | what it checks | I-01 | `A.B/c` | 7 |"])
        self.assertTrue(page.read_text().endswith(f"{mutate.MARKERS[1]}\nafter\n"))


if __name__ == "__main__":
    unittest.main()
