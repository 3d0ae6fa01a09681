"""A3: validation of the input file."""

import json

from outcomes import Elsewhere, expect, expect_equal
from registry import check
from session import counts
from target import jsonl


def raw(**changes):
    return json.dumps({key: value for key, value in changes.items() if value is not ...}).encode() + b"\n"


@check("A3-01", "MUST", "errors surface by polling: failed, failed_at, errors")
def polling(s):
    last = s.invalid[-1]
    expect_equal(last["status"], "failed", "status")
    expect(last["failed_at"] is not None and last["errors"]["data"], f"{last['failed_at']}, {last['errors']}")
    return f"after {len(s.invalid)} polls"


@check("A3-02", "MUST", "codes with line numbers")
def codes(s):
    good = s.target.line("a")
    cases = {
        "invalid_json_line": (jsonl([good]) + b"{nope\n", 2),
        "duplicate_custom_id": (jsonl([good, s.target.line("b"), good]), 3),
        "url_mismatch": (jsonl([good, s.target.line("b", url="/v1/embeddings")]), 2),
        "empty_file": (b"", None),
    }
    for code, (content, line) in cases.items():
        found = s.failed_codes(content)
        expect((code, line) in found, f"{code} at {line} expected: {found}")
    return ", ".join(cases)


@check("A3-03", "MUST", "a duplicate custom_id fails the batch, wherever it stands")
def duplicate(s):
    lines = [s.target.line(str(n % 2_999)) for n in range(3_000)]
    expect_equal(s.failed_codes(jsonl(lines)), [("duplicate_custom_id", 3_000)], "errors")
    return "lines 1 and 3,000 of 3,000"


@check("A3-04", "MUST", "each line is an object with custom_id, method POST, the url and an object as body")
def shape(s):
    good = s.target.line("good")
    bad = [b"[1]\n", b'"x"\n', b"null\n", b"7\n", raw(**{**good, "body": "text"}), raw(**{**good, "custom_id": ...}),
           raw(**{**good, "custom_id": ""}), raw(**{**good, "custom_id": 7}), raw(**{**good, "method": "GET"}),
           raw(**{**good, "method": ...}), raw(**{**good, "url": ...}), raw(**{**good, "body": ...}),
           raw(**{**good, "body": None})]
    found = s.failed_codes(jsonl([good]) + b"".join(bad))
    missing = set(range(2, len(bad) + 2)) - {line for _, line in found}
    expect(not missing, f"lines without an error: {sorted(missing)} of {found}")
    return ", ".join(sorted({code for code, _ in found}))


@check("A3-05", "SHOULD", "stream: true in a body is refused")
def stream(s):
    found = s.failed_codes(jsonl([s.target.line("a"), s.target.line("b", stream=True)]))
    expect(2 in [line for _, line in found], str(found))
    return str(found)


@check("A3-06", "SHOULD", "blank lines, CRLF and a BOM are taken; invalid UTF-8 has its line")
def text(s):
    content = b"\xef\xbb\xbf" + jsonl([s.target.line("a", max_tokens=1)]).replace(b"\n", b"\r\n")
    content += b"\n\n" + jsonl([s.target.line("b", max_tokens=1)]).rstrip(b"\n")
    batch = s.run(content)
    expect_equal((batch["status"], counts(batch)["completed"]), ("completed", 2), "a file with all three")
    found = s.failed_codes(jsonl([s.target.line("a")]) + b'{"custom_id": "\xff"}\n')
    expect(2 in [line for _, line in found], f"invalid UTF-8: {found}")
    late = s.failed_codes(jsonl([s.target.line("a")]) + b"\xef\xbb\xbf" + jsonl([s.target.line("b")]))
    expect(2 in [line for _, line in late], f"a BOM at line 2: {late}")
    return f"taken; invalid UTF-8 is {found}"


@check("A3-07", "SHOULD", "many errors at once, capped, with how many more")
def many(s):
    batch = s.run(b"x\n" * 250)
    data = batch["errors"]["data"]
    expect(1 < len(data) <= 250, f"{len(data)} errors")
    expect("150" in data[-1]["message"] or len(data) == 250, f"the last: {data[-1]}")
    return f"{len(data)} entries, the last: {data[-1]['message']}"


@check("A3-08", "MUST", "memory is bounded by the longest line")
def memory(s):
    raise Elsewhere("scenarios_test.Memory.test_T37_I13_memory_does_not_grow_with_files_uploads_or_batches")
