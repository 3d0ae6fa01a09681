"""A6: reading and listing batches."""

from outcomes import Deviation, expect, expect_equal
from registry import check
from target import error_of


def five(s):
    """Ids of five batches, the oldest first."""
    if not hasattr(s, "_five_ids"):
        s._five_ids = [s.target.create(s.input_file.id).id for _ in range(5)]
    return s._five_ids


def page(s, **query):
    answer = s.target.http.get("/v1/batches", params=query)
    expect(answer.status_code == 200, f"{query} -> {answer.status_code} {answer.text[:100]}")
    return answer.json()


@check("A6-01", "MUST", "after and limit 1 to 100 (20), newest first")
def newest_first(s):
    ids = five(s)
    found = [b["id"] for b in page(s, limit=100)["data"]]
    expect_equal([i for i in found if i in ids], ids[::-1], "order")
    first = page(s, limit=2)
    expect_equal(len(first["data"]), 2, "limit=2 gives")
    following = page(s, limit=2, after=first["data"][-1]["id"])
    expect_equal([b["id"] for b in first["data"] + following["data"]], found[:4], "two pages")
    while len(page(s, limit=100)["data"]) <= 20:
        s.target.create(s.input_file.id)
    expect_equal(len(page(s)["data"]), 20, "without a limit")
    return "20 without a limit"


@check("A6-02", "MUST", "after is an object id: the SDK pages by itself")
def auto_paging(s):
    ids = five(s)
    listed = [batch.id for batch in s.target.sdk.batches.list(limit=2)]
    expect_equal([i for i in listed if i in ids], ids[::-1], "over pages of two")
    expect_equal(len(listed), len(set(listed)), "without repeats")
    return f"{len(listed)} batches over pages of two"


@check("A6-03", "MUST", "the envelope, also of an empty page")
def envelope(s):
    five(s)
    found = page(s, limit=2)
    expect_equal((found["object"], found["first_id"], found["last_id"], found["has_more"]),
                 ("list", found["data"][0]["id"], found["data"][-1]["id"], True), "the first page")
    files = s.target.http.get("/v1/files", params={"purpose": "evals"}).json()
    expect_equal((files["object"], files["data"], files["first_id"], files["last_id"], files["has_more"]),
                 ("list", [], None, None, False), "an empty list")
    return "ids null when empty"


@check("A6-04", "MUST", "paging is stable while batches are made")
def stable(s):
    five(s)
    before = [b["id"] for b in page(s, limit=100)["data"]]
    seen, after = [], None
    while True:
        got = page(s, limit=3, **({"after": after} if after else {}))
        seen += [b["id"] for b in got["data"]]
        s.target.create(s.input_file.id)
        if not got["has_more"]:
            break
        after = got["data"][-1]["id"]
    expect_equal(len(seen), len(set(seen)), "without repeats")
    missing = [i for i in before if i not in seen]
    expect(not missing, f"skipped: {missing}")
    return f"{len(seen)} batches while others were made"


@check("A6-05", "SHOULD", "limit 0, 101, abc and an unknown after are 400 with param")
def bad_queries(s):
    for limit in ("0", "101", "abc", "-1", "1.5", ""):
        error_of(s.target.http.get("/v1/batches", params={"limit": limit}), 400, param="limit")
    error_of(s.target.http.get("/v1/batches", params={"after": "no id!"}), 400, param="after")
    unknown = s.target.http.get("/v1/batches", params={"after": "batch_" + "0" * 32})
    if unknown.status_code == 200:
        raise Deviation("400 but for an id that no batch has",
                        "`after` is a position in the order of ids: it stays valid when its object has been deleted "
                        "meanwhile, so deleting while paging works. Only an ill-formed id is refused.")
    error_of(unknown, (400, 404))
    return "400 each"


@check("A6-06", "MUST", "another tenant's id is the same 404 as one never made")
def other_tenant(s):
    def body(answer, name):
        error_of(answer, 404)
        return answer.text.replace(name, "ID")

    theirs, file = s.completed["id"], s.input_file.id
    for made, never, path in [(theirs, "batch_" + "0" * 32, "/v1/batches/{}"), (file, "file-" + "0" * 32, "/v1/files/{}"),
                              (file, "file-" + "0" * 32, "/v1/files/{}/content")]:
        found = [body(s.other_tenant.get(path.format(name)), name) for name in (made, never)]
        expect_equal(found[0], found[1], path)
    expect(theirs not in s.other_tenant.get("/v1/batches?limit=100").text, "in the other's list")
    return "batches, files, contents and lists"
