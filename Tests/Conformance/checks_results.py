"""A5: output and error files."""

import json

from outcomes import Deviation, Elsewhere, NotApplicable, expect, expect_equal
from registry import check
from session import Session, counts
from target import jsonl


@check("A5-01", "MUST", "the line of a success")
def success(s):
    expect(s.output, "no lines")
    expect_equal(len(s.output), counts(s.completed)["completed"], "lines")
    for line in s.output:
        expect({"id", "custom_id", "response", "error"} <= set(line), f"keys {sorted(line)}")
        expect(line["id"].startswith("batch_req_"), f"id {line['id']}")
        expect_equal(line["error"], None, "error")
        expect({"status_code", "request_id", "body"} <= set(line["response"]), f"response: {sorted(line['response'])}")
        expect_equal(line["response"]["status_code"], 200, "status_code")
        expect_equal(line["response"]["body"]["object"], "chat.completion", "the body's object")
    expect_equal(len({line["id"] for line in s.output}), len(s.output), "different ids")
    return f"{len(s.output)} lines"


@check("A5-02", "MUST", "an engine's 4xx is in the error file with its response, error null")
def refused(s):
    s.needs_refusals()
    expect_equal(sorted(line["custom_id"] for line in s.errors), sorted(s.REFUSED), "ids")
    for line in s.errors:
        expect_equal(line["error"], None, "error")
        expect(line["response"] and 400 <= line["response"]["status_code"] < 500, f"response {line['response']}")
        expect("request_id" in line["response"], "no request_id")
        expect(isinstance(line["response"]["body"].get("error"), dict), f"body {line['response']['body']}")
    return f"{len(s.errors)} lines, status {s.errors[0]['response']['status_code']}"


@check("A5-03", "MUST", "a failure without an answer: response null, error with code and message")
def no_answer(s):
    if not s.target.simulated:
        raise NotApplicable("needs an engine that answers garbage when asked")
    batch = s.run(jsonl([s.target.line("a", "[[fault:garbage]]")]))
    [line] = s.target.lines(batch.get("error_file_id"))
    expect_equal(line["response"], None, "response")
    expect(line["error"] and line["error"]["code"] and line["error"]["message"], f"error {line['error']}")
    return str(line["error"])


@check("A5-04", "MUST", "an expired line has batch_expired and its message")
def expired(s):
    raise Elsewhere(
        "scenarios_test.Restarts.test_S30_R16_a_window_that_ends_while_lines_run_stops_them_and_keeps_what_is_done")


@check("A5-05", "SHOULD", "lines that a cancelled batch never ran have a code of their own")
def never_ran(s):
    last = s.cancelled[2][-1]
    lines = s.target.lines(last.get("error_file_id"))
    codes = {line["error"]["code"] for line in lines if line["error"]}
    if len(lines) == 3 and codes == {"batch_cancelled"}:
        raise Deviation("3 lines with batch_cancelled",
                        "Lines that a cancelled batch never ran get an error line `batch_cancelled`, so that every "
                        "`custom_id` has exactly one line.")
    expect(not lines, f"{len(lines)} lines, codes {codes}")
    return "left out, as hosted"


@check("A5-06", "MUST", "each custom_id has exactly one line in one of the files")
def exactly_once(s):
    ids = [line["custom_id"] for line in s.output + s.errors]
    expect_equal(sorted(ids), sorted(Session.IDS), "completed")
    expect_equal(sorted(s.custom_ids(s.all_refused)), ["r0", "r1", "r2"], "all refused")
    if s.target.simulated:
        ids = s.custom_ids(s.cancelled[2][-1])
        expect(len(ids) == len(set(ids)) and set(ids) <= {"c0", "c1", "c2", "h0", "h1", "h2"}, f"cancelled: {ids}")
        # Of those that never ran A5-05 tells.
        expect({"c0", "c1", "c2"} <= set(ids), f"cancelled: {ids}")
    return "completed, all refused" + (", cancelled" if s.target.simulated else "")


@check("A5-07", "MUST", "order is not promised; input order where it is cheap")
def order(s):
    ids = [line["custom_id"] for line in s.output]
    kept = ids == [i for i in Session.IDS if i not in Session.REFUSED]
    return "input order" if kept else "another order, which is allowed"


@check("A5-08", "MUST", "an empty file is not made")
def empty_files(s):
    expect_equal(s.all_good.get("error_file_id"), None, "error_file_id without failures")
    s.needs_refusals()
    expect_equal(s.all_refused.get("output_file_id"), None, "output_file_id without successes")
    return "null both ways"


@check("A5-09", "MUST", "output files have purpose batch_output, are listed, and expire")
def purpose(s):
    ids = [s.completed.get(key) for key in ("output_file_id", "error_file_id") if s.completed.get(key)]
    for name in ids:
        file = s.target.sdk.files.retrieve(name)
        expect_equal(file.purpose, "batch_output", "purpose")
        expect(file.expires_at is not None, "no expires_at")
    listed = {file.id for file in s.target.sdk.files.list(purpose="batch_output")}
    expect(set(ids) <= listed, "not in the list by purpose")
    return f"expires {file.expires_at - file.created_at} s after its creation"


@check("A5-10", "MUST", "the bytes of the engine's JSON are kept")
def bytes_kept(s):
    if s.target.pair is None:
        raise NotApplicable("needs the engine itself")
    direct = s.target.pair.ask_engine(json.dumps(s.target.question("question id-3", max_tokens=5)))
    text = s.target.sdk.files.content(s.completed.get("output_file_id")).read()
    line = next(line for line in text.splitlines() if json.loads(line)["custom_id"] == "id-3")
    expect(direct.strip() in line, f"{line[-300:]} does not end with {direct[-200:]}")
    raise Elsewhere("engine_faults_test.Hostile.test_T13_T14_odd_answers_that_hold_the_JSON_are_kept")
