"""A2: creating a batch."""

from outcomes import Deviation, Elsewhere, NotApplicable, expect, expect_equal
from registry import check
from session import Session
from target import error_of, jsonl

ENDPOINTS = {
    "/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations",
    "/v1/images/generations", "/v1/images/edits", "/v1/videos"}
NEEDED = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")


def body(s, **changes):
    whole = {
        "input_file_id": s.input_file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **changes}
    return {key: value for key, value in whole.items() if value is not ...}


@check("A2-01", "MUST", "a missing required key is a 400 whose param names it")
def required(s):
    for key in ("input_file_id", "endpoint", "completion_window"):
        error_of(s.target.post_batch(body(s, **{key: ...})), 400, param=key)
    return "each of the three"


@check("A2-02", "MUST", "the endpoints of the contract, and 400 for others")
def endpoints(s):
    served = [e for e in sorted(ENDPOINTS) if s.target.post_batch(body(s, endpoint=e)).status_code in (200, 201)]
    expect(set(NEEDED) <= set(served), f"not served: {sorted(set(NEEDED) - set(served))}")
    error_of(s.target.post_batch(body(s, endpoint="/v1/nothing")), 400, param="endpoint")
    return "served: " + ", ".join(served)


@check("A2-03", "MUST", "24h is taken, a malformed window is a 400")
def window(s):
    expect_equal(s.seen[0]["completion_window"], "24h", "completion_window")
    for bad in ("soon", "", "24", "-1h", "h", "24 h", 24, None):
        error_of(s.target.post_batch(body(s, completion_window=bad)), 400, param="completion_window")
    wider = s.target.post_batch(body(s, completion_window="7d"))
    if wider.status_code == 200:
        raise Deviation("7d is taken too", "`completion_window` takes any number of minutes, hours or days.")
    return "24h only"


@check("A2-04", "MUST", "the answer is 200 with the batch in validating")
def answer(s):
    expect_equal(s.created.status_code, 200, "status")
    expect_equal(s.seen[0]["status"], "validating", "the batch")
    return "200, validating"


@check("A2-05", "SHOULD", "a missing input file makes a batch that turns failed")
def missing_file(s):
    made = s.target.post_batch(body(s, input_file_id="file-" + "0" * 32))
    if made.status_code in (400, 404):
        error_of(made, (400, 404))
        raise Deviation(f"{made.status_code} at the create: {made.json()['error']['message']}",
                        "A create that names a file which does not exist is a 404 at once; whatever is wrong inside "
                        "the file makes the batch `failed`.")
    expect(made.status_code == 200, f"{made.status_code} {made.text[:100]}")
    expect_equal(s.wait(made.json()["id"])["status"], "failed", "its end")
    return "a batch that turned failed"


@check("A2-06", "MUST", "a file of another purpose is refused")
def purpose(s):
    file = s.target.form(("purpose", None, b"user_data"), ("file", "a.jsonl", jsonl([s.target.line("a")])))
    if file.status_code != 200:
        raise NotApplicable(f"no file of another purpose can be uploaded: {file.status_code}")
    made = s.target.post_batch(body(s, input_file_id=file.json()["id"]))
    if made.status_code == 200:
        expect_equal(s.wait(made.json()["id"])["status"], "failed", "its end")
        return "the batch failed"
    error = error_of(made, 400)
    expect("purpose" in error["message"], f"the message does not say why: {error['message']}")
    return error["message"]


@check("A2-07", "MUST", "output_expires_after is bounded and counts from the output file's creation")
def output_expires_after(s):
    for bad in ({"anchor": "created_at", "seconds": 3_599}, {"anchor": "created_at", "seconds": 2_592_001},
                {"anchor": "now", "seconds": 3_600}, {"seconds": 3_600}, {"anchor": "created_at"},
                {"anchor": "created_at", "seconds": "3600"}, {"anchor": "created_at", "seconds": 3_600.5}):
        answer = s.target.post_batch(body(s, output_expires_after=bad))
        expect(answer.status_code == 400, f"{bad} -> {answer.status_code}")
    batch = s.run(jsonl([s.target.line("a", max_tokens=1)]),
                  output_expires_after={"anchor": "created_at", "seconds": 3_600})
    file = s.target.sdk.files.retrieve(batch.get("output_file_id"))
    expect_equal(file.expires_at, file.created_at + 3_600, "expires_at of the output")
    return "3,600 s after the output file's creation"


@check("A2-08", "MUST", "at most 50,000 requests and 200 MB a file, and 50,000 embedding inputs")
def sizes(s):
    if s.target.pair is not None:
        raise Elsewhere("sdk_test.LargeFiles.test_T34_200_MiB_are_taken_and_one_more_byte_is_not",
                        "sdk_test.LargeFiles.test_T34_50001_lines_are_one_too_many",
                        "SchedulerCoreTests.InputFileIndexerTests/limits")
    codes = s.failed_codes(jsonl(s.target.line(str(n)) for n in range(50_001)))
    expect(codes, "no errors")
    return str(codes[0])


@check("A2-09", "SHOULD", "over 2,000 creates an hour or too many enqueued tokens is refused")
def rates(s):
    if s.target.pair is None:
        raise NotApplicable("needs a tenant with small limits")
    small = s.target.pair.small_tenant(s.target)
    file = small.upload(jsonl([small.line("a", "x" * 1_000)]))
    body = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = [small.post_batch(body) for _ in range(s.target.pair.batches_per_hour)]
    expect(all(answer.status_code == 200 for answer in made), f"{[answer.status_code for answer in made]}")
    refused = small.post_batch(body)
    error_of(refused, 429)
    batch = Session(small).wait(made[0].json()["id"])
    errors = (batch["errors"] or {}).get("data", [])
    expect([(e["code"], e["line"], e["param"]) for e in errors] == [("token_limit_exceeded", None, None)], f"{errors}")
    small.close()
    return f"429 after {len(made)} in an hour, {refused.headers.get('retry-after')} s; {errors[0]['message']}"


@check("A2-10", "SHOULD", "Idempotency-Key: the same key gives the same batch")
def idempotency(s):
    headers = {"idempotency-key": f"conformance-{s.input_file.id}"}
    first, second = (s.target.post_batch(body(s), headers=headers) for _ in range(2))
    expect(first.status_code == second.status_code == 200, f"{first.status_code}, {second.status_code}")
    expect_equal(second.json()["id"], first.json()["id"], "the second id")
    other = s.target.post_batch(body(s, metadata={"other": "body"}), headers=headers)
    error_of(other, (400, 409, 422))
    return f"one batch; another body under the key: {other.status_code}"
