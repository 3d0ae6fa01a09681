"""A4: states."""

from checks_batch_object import histories
from outcomes import Elsewhere, expect, expect_equal
from registry import check
from session import TERMINAL, counts
from target import error_of

MOVES = {
    "validating": {"in_progress", "failed", "cancelling", "expired"},
    "in_progress": {"finalizing", "cancelling", "expired", "failed"},
    "finalizing": {"completed", "cancelling", "expired", "failed"},
    "cancelling": {"cancelled", "completed"},
}


def reachable(state):
    """States that may be seen after this one, as a poll may miss some."""
    found, left = {state}, [state]
    while left:
        for following in MOVES.get(left.pop(), ()):
            if following not in found:
                found.add(following)
                left.append(following)
    return found


@check("A4-01", "MUST", "legal moves only; terminal states never change")
def moves(s):
    paths = set()
    for history in histories(s):
        states = [batch["status"] for batch in history]
        for before, after in zip(states, states[1:]):
            expect(after in reachable(before), f"{before} to {after}")
        paths.add(" > ".join(dict.fromkeys(states)))
        expect_equal(s.target.batch(history[-1]["id"])["status"], states[-1], "read again at the end")
    return "; ".join(sorted(paths))


@check("A4-02", "MUST", "a cancel answers at once with cancelling and cancelling_at, and ends as cancelled")
def cancel(s):
    first, _, history = s.cancelled
    expect(first.json()["status"] in ("cancelling", "cancelled"), f"the answer is {first.json()['status']}")
    expect(first.json()["cancelling_at"] is not None, "cancelling_at is null")
    expect_equal(history[-1]["status"], "cancelled", "its end")
    expect(history[-1]["cancelled_at"] - history[-1]["cancelling_at"] <= 600, "more than ten minutes")
    return f"{first.json()['status']}, cancelled {history[-1]['cancelled_at'] - history[-1]['cancelling_at']} s later"


@check("A4-03", "SHOULD", "a second cancel is harmless; one of an ended batch is a 400 that names the state")
def cancel_again(s):
    _, again, _ = s.cancelled
    expect(again.status_code == 200 or again.status_code == 400 and "cancelled" in again.text,
           f"the second cancel -> {again.status_code} {again.text[:100]}")
    late = s.target.http.post(f"/v1/batches/{s.completed['id']}/cancel")
    error = error_of(late, (400, 409))
    expect("completed" in error["message"], f"the state is not named: {error['message']}")
    return f"{again.status_code}; then {late.status_code} {error['message']}"


@check("A4-04", "MUST", "expired: unfinished lines get batch_expired, finished ones are delivered")
def expired(s):
    raise Elsewhere(
        "scenarios_test.Restarts.test_S30_R16_a_window_that_ends_while_lines_run_stops_them_and_keeps_what_is_done")


@check("A4-05", "MUST", "partial results exist on cancelled and expired")
def partial(s):
    last = s.cancelled[2][-1]
    lines = s.target.lines(last.get("output_file_id"))
    expect_equal(sorted(line["custom_id"] for line in lines), ["c0", "c1", "c2"], "the output")
    return f"cancelled with {len(lines)} of {counts(last)['total']} answers"


@check("A4-06", "SHOULD", "finalizing is bounded; expiry in it keeps what was computed")
def finalizing(s):
    raise Elsewhere("SchedulerCoreTests.BatchStateMachineTests/everyStateMeetsEveryEvent",
                    "ratchet_test.Crashes.test_finalization_strand")


@check("A4-07", "MUST", "file ids are there with the terminal status, and not before the files are whole")
def files_with_the_end(s):
    for history in histories(s):
        for batch in history:
            for key in ("output_file_id", "error_file_id"):
                if batch.get(key) is None:
                    continue
                expect_equal(batch.get(key), history[-1].get(key), key)
                if batch["status"] not in TERMINAL:
                    got = s.target.http.get(f"/v1/files/{batch.get(key)}/content")
                    expect(got.status_code == 200, f"{key} shown while {batch['status']} and {got.status_code}")
    expect(s.completed.get("output_file_id"), "no output file at the end")
    expect(s.completed.get("error_file_id") or not counts(s.completed)["failed"], "no error file at the end")
    return "none shown too early"
