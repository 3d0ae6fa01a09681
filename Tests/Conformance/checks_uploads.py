"""A8: uploads in parts."""

import concurrent.futures
import hashlib

from outcomes import expect, expect_equal
from registry import check
from session import counts
from target import error_of, jsonl

KEYS = {"id", "object", "status", "bytes", "created_at", "expires_at", "filename", "purpose"}


def create(s, size, **changes):
    body = {"filename": "parts.jsonl", "purpose": "batch", "bytes": size, "mime_type": "application/jsonl", **changes}
    return s.target.http.post("/v1/uploads", json={k: v for k, v in body.items() if v is not ...})


def begin(s, size, **changes):
    answer = create(s, size, **changes)
    expect(answer.status_code == 200, f"POST /v1/uploads -> {answer.status_code} {answer.text[:150]}")
    return answer.json()


def part(s, upload, content):
    return s.target.http.post(f"/v1/uploads/{upload}/parts", files={"data": ("part", content)})


def add(s, upload, content):
    answer = part(s, upload, content)
    expect(answer.status_code == 200, f"part -> {answer.status_code} {answer.text[:150]}")
    return answer.json()


def complete(s, upload, parts, **more):
    return s.target.http.post(f"/v1/uploads/{upload}/complete", json={"part_ids": parts, **more})


@check("A8-01", "MUST", "an upload is made, bounded in bytes, and expires after an hour")
def upload_object(s):
    upload = begin(s, 12)
    expect(KEYS <= set(upload), f"missing {sorted(KEYS - set(upload))}")
    expect_equal((upload["object"], upload["status"], upload["bytes"], upload["filename"], upload["purpose"]),
                 ("upload", "pending", 12, "parts.jsonl", "batch"), "values")
    expect_equal(upload["expires_at"], upload["created_at"] + 3_600, "expires_at")
    for key in ("filename", "purpose", "bytes", "mime_type"):
        error_of(create(s, 12, **{key: ...}), 400, param=key)
    error_of(create(s, (8 << 30) + 1, purpose="user_data"), (400, 413))
    error_of(create(s, -1), 400)
    return upload["id"]


@check("A8-02", "MUST", "parts of at most 64 MB, in parallel")
def parts(s):
    upload = begin(s, 40)["id"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: add(s, upload, b"0123456789"), range(4)))
    for one in made:
        expect({"id", "object", "created_at", "upload_id"} <= set(one), f"keys {sorted(one)}")
        expect_equal((one["object"], one["upload_id"]), ("upload.part", upload), "values")
    expect_equal(len({one["id"] for one in made}), 4, "different ids")
    status = s.target.post_head(f"/v1/uploads/{upload}/parts", 66 << 20)
    expect(status in (None, 400, 413), f"a part of 66 MiB -> {status}")
    return f"four at once; 66 MiB: {status}"


@check("A8-03", "MUST", "complete takes the order, the sum and md5; a wrong one leaves it pending")
def completed(s):
    content = jsonl([s.target.line(f"u{n}", max_tokens=1) for n in range(6)])
    pieces = [content[:100], content[100:333], content[333:]]
    upload = begin(s, len(content))["id"]
    ids = [None] * 3
    for n in (2, 0, 1):
        ids[n] = add(s, upload, pieces[n])["id"]
    error_of(complete(s, upload, ids[:2]), 400)
    error_of(complete(s, upload, ids, md5="0" * 32), 400)
    error_of(complete(s, upload, ids + ids[:1]), 400)
    answer = complete(s, upload, ids, md5=hashlib.md5(content).hexdigest())
    expect(answer.status_code == 200, f"complete -> {answer.status_code} {answer.text[:150]}")
    done = answer.json()
    expect_equal(done["status"], "completed", "status")
    expect_equal((done["file"]["object"], done["file"]["bytes"]), ("file", len(content)), "the nested file")
    expect(s.target.sdk.files.content(done["file"]["id"]).read() == content, "other bytes")
    batch = s.wait(s.target.create(done["file"]["id"]).id)
    expect_equal((batch["status"], counts(batch)["completed"]), ("completed", 6), "a batch of it")
    return "parts that came last first; a batch of the file"


@check("A8-04", "MUST", "cancel; no parts after cancel or complete")
def cancel(s):
    upload = begin(s, 3)["id"]
    one = add(s, upload, b"abc")["id"]
    answer = s.target.http.post(f"/v1/uploads/{upload}/cancel")
    expect(answer.status_code == 200, f"cancel -> {answer.status_code} {answer.text[:150]}")
    expect_equal(answer.json()["status"], "cancelled", "status")
    error_of(part(s, upload, b"abc"), 400)
    error_of(complete(s, upload, [one]), 400)
    done = begin(s, 3, purpose="user_data")["id"]
    expect_equal(complete(s, done, [add(s, done, b"abc")["id"]]).status_code, 200, "complete")
    error_of(part(s, done, b"abc"), 400)
    error_of(s.target.http.post(f"/v1/uploads/{done}/cancel"), 400)
    return "400 each"


@check("A8-05", "SHOULD", "the SDK sends a large file in parts")
def sdk(s):
    content = jsonl(s.target.line(f"s{n}", "x" * 200) for n in range(2_000))
    upload = s.target.sdk.uploads.upload_file_chunked(
        file=content, filename="chunked.jsonl", bytes=len(content), purpose="batch", mime_type="application/jsonl",
        part_size=100_000)
    expect_equal((upload.status, upload.file.bytes), ("completed", len(content)), "the upload")
    return f"{len(content)} bytes in parts of 100,000"
