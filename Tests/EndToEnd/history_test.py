"""The history checker finds each planted violation, and none in a good history."""

import copy
import sys
import unittest

from history import Call, Execution, History, violations


def batch(order=1, status="completed", completed=2, failed=0, total=2, **more):
    times = {"created_at": 100, "in_progress_at": 101, "expires_at": 200, "finalizing_at": None, "completed_at": None,
             "failed_at": None, "expired_at": None, "cancelling_at": None, "cancelled_at": None}
    return {"id": f"batch_{order}", "object": "batch", "status": status, "metadata": {"order": str(order)},
            "output_file_id": f"out_{order}", "error_file_id": None,
            "request_counts": {"completed": completed, "failed": failed, "total": total}, **times, **more}


def good():
    """Two orders: one completes, one is cancelled half way."""
    cancelled = batch(2, "cancelled", 1, 1, cancelling_at=110, cancelled_at=112, error_file_id="err_2")
    acked = batch(2, "cancelling", 0, 0, cancelling_at=110, output_file_id=None)
    return History(
        orders={1: ["a", "b"], 2: ["c", "d"]},
        calls=[
            Call("upload", 1, 99, 99.5, 200, {"id": "in_1", "object": "file"}),
            Call("create", 1, 100, 100.1, 503),
            Call("create", 1, 100.2, 100.3, 200, batch(1, "validating", 0, 0, 0, output_file_id=None)),
            Call("get", 1, 105, 105.1, 200, batch(1, "in_progress", 1, 0, output_file_id=None)),
            Call("get", 1, 106, 106.1, 200, batch()),
            Call("get", 1, 107, 107.1, 200, batch()),
            Call("create", 2, 100, 100.1, 200, batch(2, "validating", 0, 0, 0, output_file_id=None)),
            Call("cancel", 2, 110, 110.1, 200, acked),
            Call("get", 2, 113, 113.1, 200, cancelled),
        ],
        executions=[Execution("batch_1", 0, 103), Execution("batch_1", 1, 104), Execution("batch_2", 0, 109)],
        batches={"batch_1": batch(), "batch_2": cancelled},
        files={"in_1": {}, "out_1": {}, "out_2": {}, "err_2": {}},
        lines={"out_1": ["a", "b"], "out_2": ["c"], "err_2": ["d"]},
        blobs={"in_1", "out_1", "out_2", "err_2"},
        in_flight=1,
        memory_limit=100,
        memory=[50, 60],
    )


class Planted(unittest.TestCase):
    def expect(self, promise, plant):
        history = copy.deepcopy(good())
        plant(history)
        found = violations(history)
        self.assertTrue(found, f"the planted violation of {promise} was not found")
        self.assertTrue(any(f.startswith(promise) for f in found), found)

    def test_a_good_history_has_none(self):
        self.assertEqual(violations(good()), [])

    def test_I01_an_acked_batch_is_gone(self):
        self.expect("I-01", lambda h: h.batches.pop("batch_1"))

    def test_I01_an_acked_file_is_gone(self):
        self.expect("I-01", lambda h: h.files.pop("in_1"))

    def test_I01_a_deleted_file_comes_back(self):
        self.expect("I-01", lambda h: h.calls.append(Call("delete", 1, 120, 121, 200, {"id": "in_1"})))

    def test_I01_an_acked_cancel_is_forgotten(self):
        self.expect("I-01", lambda h: h.batches["batch_2"].update(status="completed"))

    def test_I02_a_refused_batch_exists(self):
        def plant(h):
            h.calls = [c for c in h.calls if c.order != 1] + [Call("create", 1, 100, 100.1, 400)]

        self.expect("I-02", plant)

    def test_I02_lines_run_that_nobody_was_told_of(self):
        self.expect("I-02", lambda h: h.executions.append(Execution("batch_9", 0, 100)))

    def test_I03_one_key_makes_two_batches(self):
        self.expect("I-03", lambda h: h.batches.update(batch_3={**batch(), "id": "batch_3"}))

    def test_I04_a_line_is_lost(self):
        self.expect("I-04", lambda h: h.lines["out_1"].pop())

    def test_I04_a_line_is_there_twice(self):
        self.expect("I-04", lambda h: h.lines["out_1"].append("a"))

    def test_I04_a_line_belongs_to_nobody(self):
        self.expect("I-04", lambda h: h.lines["out_1"].append("z"))

    def test_I05_a_terminal_batch_changes(self):
        changed = batch(1, "cancelled")
        self.expect("I-05", lambda h: h.calls.append(Call("get", 1, 108, 108.1, 200, changed)))

    def test_I05_a_time_moves(self):
        self.expect("I-05", lambda h: h.calls[3].body.update(in_progress_at=102))

    def test_I06_counts_go_down(self):
        def plant(h):
            before = batch(1, "in_progress", 2, 0, output_file_id=None)
            h.calls.insert(0, Call("get", 1, 104, 104.1, 200, before))

        self.expect("I-06", plant)

    def test_I06_counts_do_not_add_up(self):
        self.expect("I-06", lambda h: h.batches["batch_1"]["request_counts"].update(total=3))

    def test_I07_lines_run_again_without_a_crash(self):
        self.expect("I-07", lambda h: h.executions.append(Execution("batch_1", 0, 105)))

    def test_I07_a_crash_explains_as_many_as_were_in_flight(self):
        history = good()
        history.crashes = 1
        history.executions.append(Execution("batch_1", 0, 105))
        self.assertEqual(violations(history), [])

    def test_I07_a_lost_lease_explains_as_many_as_were_in_flight(self):
        history = good()
        history.lost_leases = 1
        history.executions.append(Execution("batch_1", 0, 105))
        self.assertEqual(violations(history), [])
        history.executions += [Execution("batch_1", line, 106) for line in range(3)]
        self.assertTrue(any(text.startswith("I-07") for text in violations(history)))

    def test_I09_a_line_is_sent_after_the_cancel(self):
        self.expect("I-09", lambda h: h.executions.append(Execution("batch_2", 1, 112)))

    def test_I09_a_cancel_takes_long(self):
        def plant(h):
            h.batches["batch_2"].update(cancelled_at=130)
            h.calls[-1].body.update(cancelled_at=130)

        self.expect("I-09", plant)

    def test_I10_a_batch_expires_late(self):
        self.expect("I-10", lambda h: h.batches["batch_1"].update(expired_at=261))

    def test_I11_a_batch_does_not_end(self):
        self.expect("I-11", lambda h: h.batches["batch_1"].update(status="in_progress"))

    def test_I12_bytes_are_left(self):
        self.expect("I-12", lambda h: h.blobs.add("file-9"))

    def test_I12_referenced_bytes_are_removed(self):
        self.expect("I-12", lambda h: h.blobs.remove("in_1"))

    def test_I13_memory_grows(self):
        self.expect("I-13", lambda h: h.memory.append(101))


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=1, exit=False).result.wasSuccessful())
