"""Tests of the judge: a table that could not fail would say nothing."""

import unittest

import outcomes
import registry
import report
from report import Row


def row(item="A1-01", state="pass"):
    return Row(item, "MUST", "title", state, "seen", 0.0)


def came_to(run, differences="On purpose: it is\n otherwise."):
    return report.outcome(registry.Check("A1-01", "MUST", "title", run), None, differences)[0]


def raises(error):
    def run(_):
        raise error
    return run


class Outcomes(unittest.TestCase):
    def test_a_check_that_returns_passes_and_one_that_raises_fails(self):
        self.assertEqual(came_to(lambda _: "seen"), "pass")
        for error in (outcomes.Failed("no"), KeyError("id"), AssertionError(), TypeError("none")):
            self.assertEqual(came_to(raises(error)), "FAIL")

    def test_a_deviation_has_to_be_on_the_page(self):
        self.assertEqual(came_to(raises(outcomes.Deviation("seen", "it is otherwise."))), "difference")
        self.assertEqual(came_to(raises(outcomes.Deviation("seen", "nobody says so"))), "FAIL")
        self.assertEqual(came_to(raises(outcomes.Deviation("seen", "it is otherwise.")), differences=None), "FAIL")

    def test_a_test_elsewhere_has_to_be_there(self):
        here = outcomes.Elsewhere("sdk_test.Files.test_A7_09_a_deleted_file_is_gone",
                                  "SchedulerCoreTests.BatchStateMachineTests/terminalNeverChanges")
        self.assertEqual(came_to(raises(here)), "elsewhere")
        for name in ("sdk_test.Files.test_nothing", "nowhere_test.Files.test_A7", "SchedulerCoreTests.Nobody/nothing"):
            self.assertEqual(came_to(raises(outcomes.Elsewhere(name))), "FAIL", name)
        self.assertEqual(came_to(raises(here), differences=None), "n/a")


class Problems(unittest.TestCase):
    def test_a_failure_is_one_unless_it_is_known(self):
        self.assertEqual(list(report.problems([row()], {})), [])
        self.assertEqual(len(list(report.problems([row(state="FAIL")], {}))), 1)
        self.assertEqual(list(report.problems([row(state="FAIL")], {"A1-01": "reason"})), [])

    def test_a_known_failure_that_is_none_must_go(self):
        self.assertIn("take it out", *report.problems([row()], {"A1-01": "reason"}))

    def test_every_item_has_one_check(self):
        import conformance  # noqa: F401, which registers them
        self.assertEqual(sorted(registry.CHECKS), sorted(registry.wanted()))


if __name__ == "__main__":
    unittest.main()
