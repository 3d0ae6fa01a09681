"""A7: files."""

from outcomes import Elsewhere, NotApplicable, expect, expect_equal
from registry import check
from session import counts
from target import error_of, jsonl

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
KEYS = {"id", "object", "bytes", "created_at", "filename", "purpose", "status"}


def seven(s):
    """Ids of seven files, the oldest first."""
    if not hasattr(s, "_seven_ids"):
        s._seven_ids = [s.target.upload(b"{}\n", f"page-{n}.jsonl").id for n in range(7)]
    return s._seven_ids


@check("A7-01", "MUST", "upload with each purpose and expires_after within its bounds")
def upload(s):
    for purpose in PURPOSES:
        answer = s.target.form(("purpose", None, purpose.encode()), ("file", "a.jsonl", b"{}\n"))
        expect(answer.status_code == 200 and answer.json()["purpose"] == purpose, f"{purpose} -> {answer.text[:100]}")
    error_of(s.target.form(("purpose", None, b"fun"), ("file", "a", b"{}")), 400)
    file = s.target.upload(b"{}\n", expires_after={"anchor": "created_at", "seconds": 3_600})
    expect_equal(file.expires_at, file.created_at + 3_600, "expires_at")
    for seconds in (b"3599", b"2592001", b"x"):
        error_of(s.target.form(("purpose", None, b"batch"), ("expires_after[anchor]", None, b"created_at"),
                               ("expires_after[seconds]", None, seconds), ("file", "a", b"{}")), 400)
    return ", ".join(PURPOSES)


@check("A7-02", "MUST", "the fields of the form may come in any order")
def field_order(s):
    parts = [("purpose", None, b"batch"), ("file", "a.jsonl", b"{}\n")]
    for order in (parts, parts[::-1]):
        answer = s.target.form(*order)
        expect(answer.status_code == 200, f"{[p[0] for p in order]} -> {answer.status_code} {answer.text[:100]}")
        expect_equal(answer.json()["bytes"], 3, "bytes")
    return "purpose first and last"


@check("A7-03", "MUST", "the file object")
def file_object(s):
    file = s.target.http.get(f"/v1/files/{s.input_file.id}").json()
    expect(KEYS <= set(file), f"missing {sorted(KEYS - set(file))}")
    expect_equal((file["object"], file["filename"], file["purpose"]), ("file", "forty.jsonl", "batch"), "values")
    expect(file["status"] in ("uploaded", "processed", "error"), f"status {file['status']}")
    expect(type(file["bytes"]) is int and type(file["created_at"]) is int, "bytes and created_at are no integers")
    return f"{file['bytes']} bytes, {file['status']}"


@check("A7-04", "MUST", "purposes that only the service gives")
def output_purpose(s):
    expect_equal(s.target.sdk.files.retrieve(s.completed.get("output_file_id")).purpose, "batch_output", "an output's")
    answer = s.target.form(("purpose", None, b"batch_output"), ("file", "a", b"{}"))
    error_of(answer, 400)
    return "batch_output, which no upload may have"


@check("A7-05", "MUST", "a file that is too large is refused before its body is read")
def too_large(s):
    status = s.target.post_head("/v1/files", 900_000_000)
    if status is None:
        raise NotApplicable("needs plain HTTP")
    expect(status in (400, 413), f"{status}")
    return f"{status} after the head alone"


@check("A7-06", "MUST", "batch files expire after 30 days, others stay")
def expiry(s):
    file = s.target.sdk.files.retrieve(s.input_file.id)
    expect_equal(file.expires_at, file.created_at + 30 * 86_400, "expires_at of a batch file")
    other = s.target.upload(b"{}", purpose="user_data")
    expect_equal(other.expires_at, None, "expires_at of user_data")
    return "30 days and none"


@check("A7-07", "MUST", "lists by purpose, limit 1 to 10,000 (10,000), order and after")
def lists(s):
    ids = seven(s)
    newest = [file.id for file in s.target.sdk.files.list(limit=3, purpose="batch")]
    expect_equal([i for i in newest if i in ids], ids[::-1], "newest first over pages of three")
    oldest = [file.id for file in s.target.sdk.files.list(limit=2, order="asc", purpose="batch")]
    expect_equal([i for i in oldest if i in ids], ids, "oldest first over pages of two")
    expect(all(file.purpose == "batch" for file in s.target.sdk.files.list(purpose="batch")), "another purpose")
    whole = s.target.http.get("/v1/files").json()
    expect(len(whole["data"]) > 20 or not whole["has_more"], f"{len(whole['data'])} without a limit of more")
    for query in ({"limit": "0"}, {"limit": "10001"}, {"order": "up"}):
        error_of(s.target.http.get("/v1/files", params=query), 400, param=next(iter(query)))
    return f"{len(whole['data'])} files on the page without a limit"


@check("A7-08", "MUST", "a file's raw bytes with Content-Length; Range and ETag should be there")
def content(s):
    sent = jsonl([s.target.line("ä-1", "Füße 🚀")]) + b"\r\n\x00\xff"
    file = s.target.upload(sent)
    answer = s.target.http.get(f"/v1/files/{file.id}/content", headers={"accept-encoding": "identity"})
    expect(answer.content == sent, "other bytes")
    expect_equal(answer.headers.get("content-length"), str(len(sent)), "content-length")
    part = s.target.http.get(f"/v1/files/{file.id}/content", headers={"range": "bytes=3-7"})
    ranges = part.status_code == 206 and part.content == sent[3:8]
    expect(part.status_code in (200, 206) and (ranges or part.content == sent), f"range -> {part.status_code}")
    tag = answer.headers.get("etag")
    return f"byte for byte; ranges {'served' if ranges else 'not served'}, ETag {'there' if tag else 'not there'}"


@check("A7-09", "MUST", "a deleted file is gone")
def delete(s):
    file = s.target.upload(b"{}\n")
    deleted = s.target.sdk.files.delete(file.id)
    expect_equal((deleted.id, deleted.object, deleted.deleted), (file.id, "file", True), "the answer")
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        error_of(s.target.http.request(method, f"/v1/files/{file.id}{path}"), 404)
    return "then 404"


@check("A7-10", "SHOULD", "what deleting an input file does to its batch is told")
def delete_input(s):
    file = s.target.upload(jsonl(s.target.line(str(n), max_tokens=1) for n in range(50)))
    batch = s.target.create(file.id)
    s.target.sdk.files.delete(file.id)
    ended = s.wait(batch.id)
    if ended["status"] == "failed" and s.target.pair is None:
        return "the batch failed, which is one of the choices"
    expect_equal((ended["status"], counts(ended)["completed"]), ("completed", 50), "the batch")
    return "the batch kept its input"


@check("A7-11", "MUST", "a file name is data")
def names(s):
    for name in ["../../etc/passwd", "a/b", "x" * 1_000, "\u202egnp.exe", "🚀" * 250, "..", "nul", ".hidden", "C:\\x"]:
        answer = s.target.form(("purpose", None, b"batch"), ("file", name.replace("\\", "\\\\"), b"{}"))
        if answer.status_code == 400:
            continue
        expect(answer.status_code == 200, f"{name[:20]!r} -> {answer.status_code} {answer.text[:100]}")
        expect_equal(s.target.sdk.files.content(answer.json()["id"]).read(), b"{}", f"content of {name[:20]!r}")
    return "traversal, 1,000 bytes of emoji, marks"


@check("A7-12", "MUST", "an expired file is a 404 and its bytes are removed")
def expired(s):
    raise Elsewhere("SchedulerServiceTests.SweepingTests/anExpiredFileIsGone")


@check("A7-13", "SHOULD", "a form without a file is a 400")
def no_file(s):
    error_of(s.target.form(("purpose", None, b"batch")), 400, param="file")
    return "400, param file"
