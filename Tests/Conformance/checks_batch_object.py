"""A1: the batch object."""

from outcomes import Failed, NotApplicable, expect, expect_equal
from registry import check
from session import counts
from target import error_of

REQUIRED = {"id", "object", "endpoint", "input_file_id", "completion_window", "status", "created_at"}
KEYS = REQUIRED | {
    "model", "errors", "output_file_id", "error_file_id", "in_progress_at", "expires_at", "finalizing_at",
    "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at", "request_counts", "usage", "metadata"}
STATUSES = {"validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"}
TIMES = [key for key in sorted(KEYS) if key.endswith("_at")]


def histories(s):
    """All that was answered about each batch of the run that has ended."""
    found = [s.seen, s.invalid]
    try:
        found.append(s.cancelled[2])
    except (Failed, NotApplicable):
        # A4-02 tells why.
        pass
    return found


@check("A1-01", "MUST", "object is 'batch' and the required keys are there")
def object_and_keys(s):
    for batch in s.seen:
        expect_equal(batch.get("object"), "batch", "object")
        expect(REQUIRED <= set(batch), f"missing: {sorted(REQUIRED - set(batch))}")
    return f"{len(s.seen)} answers about {s.completed['id']}"


@check("A1-02", "MUST", "the full key set")
def full_key_set(s):
    for batch in (s.seen[0], s.completed):
        missing, more = KEYS - set(batch), set(batch) - KEYS - {"backfill"}
        expect(not missing and not more, f"missing {sorted(missing)}, more {sorted(more)} while {batch['status']}")
    return f"{len(KEYS)} keys"


@check("A1-03", "SHOULD", "keys without a value are null, not left out")
def nulls(s):
    first = s.seen[0]
    absent = [key for key in ("errors", "output_file_id", "error_file_id", "completed_at", "usage") if key not in first]
    expect(not absent, f"left out at the create: {absent}")
    expect(first.get("output_file_id") is None and first.get("completed_at") is None, "set at the create")
    return "the create's answer has them as null"


@check("A1-04", "MUST", "status is one of the eight words")
def words(s):
    found = {batch["status"] for history in histories(s) for batch in history}
    expect(found <= STATUSES, f"others: {sorted(found - STATUSES)}")
    return ", ".join(sorted(found))


@check("A1-05", "MUST", "times are whole seconds, set once, in order")
def times(s):
    for history in histories(s):
        for before, after in zip(history, history[1:]):
            for key in TIMES:
                expect(before.get(key) in (None, after.get(key)), f"{key} moved: {before.get(key)} to {after.get(key)}")
        last = history[-1]
        for key in TIMES:
            expect(last.get(key) is None or type(last[key]) is int, f"{key} is {last.get(key)!r}")
        order = [last.get(key) for key in ("created_at", "in_progress_at", "finalizing_at", last["status"] + "_at")]
        order = [time for time in order if time is not None]
        expect(order == sorted(order), f"not in order: {order}")
        expect(last.get(last["status"] + "_at") is not None, f"{last['status']}_at is not set")
    return f"{sum(map(len, histories(s)))} answers compared"


@check("A1-06", "SHOULD", "expires_at is created_at plus the window")
def expires(s):
    expect_equal(s.completed["expires_at"], s.completed["created_at"] + 86_400, "expires_at")
    return "24h is 86,400 s"


@check("A1-07", "MUST", "request_counts are three integers, 0/0/0 at the create")
def request_counts(s):
    expect_equal(s.seen[0]["request_counts"], {"total": 0, "completed": 0, "failed": 0}, "at the create")
    expect(all(type(n) is int for n in s.completed["request_counts"].values()), s.completed["request_counts"])
    return str(s.completed["request_counts"])


@check("A1-08", "SHOULD", "at the end completed + failed = total")
def counts_conserve(s):
    for history in histories(s):
        last = counts(history[-1])
        expect(last["completed"] + last["failed"] == last["total"], f"{history[-1]['status']}: {last}")
        for before, after in zip(history, history[1:]):
            for key in ("completed", "failed"):
                expect(counts(before)[key] <= counts(after)[key], f"{key} went down")
    return f"{len(histories(s))} batches that ended as {sorted({h[-1]['status'] for h in histories(s)})}"


@check("A1-09", "MUST", "errors is null or a list object with code, message, param, line")
def errors(s):
    expect_equal(s.completed.get("errors"), None, "errors of a good file")
    found = s.invalid[-1]["errors"]
    expect(isinstance(found, dict) and found.get("object") == "list" and found.get("data"), f"errors: {found}")
    for error in found["data"]:
        expect({"code", "message", "param", "line"} <= set(error), f"keys {sorted(error)}")
        expect(error["line"] is None or type(error["line"]) is int, f"line {error['line']!r}")
    expect(2 in [error["line"] for error in found["data"]], "the bad second line is not named by its number from 1")
    return str([(error["code"], error["line"]) for error in found["data"]])


@check("A1-10", "SHOULD", "usage has the five counts, and they are the answers' sum")
def usage(s):
    found = s.completed.get("usage")
    expect(isinstance(found, dict), f"usage: {found}")
    expect_equal(set(found), {"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details",
                              "total_tokens"}, "keys")
    expect("cached_tokens" in found["input_tokens_details"], "no cached_tokens")
    expect("reasoning_tokens" in found["output_tokens_details"], "no reasoning_tokens")
    total = sum(line["response"]["body"]["usage"]["total_tokens"] for line in s.output)
    expect_equal(found["total_tokens"], total, "total_tokens")
    return f"{total} tokens in all"


@check("A1-11", "SHOULD", "model is filled when the file names one")
def model(s):
    expect_equal(s.completed.get("model"), s.target.model, "model")
    return s.completed.get("model")


@check("A1-12", "MUST", "metadata is bounded and comes back unchanged")
def metadata(s):
    bad = {
        "17 pairs": {f"k{n}": "v" for n in range(17)}, "a key of 65": {"k" * 65: "v"},
        "a value of 513": {"k": "v" * 513},
        "a number": {"k": 1}, "null": {"k": None}, "a list": ["k"]}
    for name, value in bad.items():
        answer = s.target.post_batch({"input_file_id": s.input_file.id, "endpoint": "/v1/chat/completions",
                                      "completion_window": "24h", "metadata": value})
        expect(answer.status_code == 400, f"{name} -> {answer.status_code}")
        error_of(answer, 400)
    most = {f"{n:064}": "ü" * 512 for n in range(16)}
    batch = s.target.create(s.input_file.id, metadata=most)
    expect_equal(batch.metadata, most, "16 pairs of 64 and 512 characters")
    expect_equal(s.target.batch(batch.id)["metadata"], most, "read again")
    listed = [b for b in s.target.sdk.batches.list(limit=100).data if b.id == batch.id]
    expect(listed and listed[0].metadata == most, "another one in the list")
    expect_equal(s.completed.get("metadata"), s.METADATA, "with an empty value and emoji")
    return "16 pairs kept; " + ", ".join(bad) + " refused"


@check("A1-13", "MUST", "a batch whose every line failed is completed, without an output file")
def all_failed(s):
    s.needs_refusals()
    batch = s.all_refused
    expect_equal(batch["status"], "completed", "status")
    expect_equal(batch.get("output_file_id"), None, "output_file_id")
    expect(batch.get("error_file_id"), "no error file")
    return str(batch["request_counts"])


@check("A1-14", "MUST", "failed means the file; failed requests never fail the batch")
def failed_means_the_file(s):
    expect_equal(s.invalid[-1]["status"], "failed", "a bad file's batch")
    expect_equal(s.completed["status"], "completed", "a batch with failed lines")
    return "as it should"
