"""A9: errors and headers."""

import re

from outcomes import NotApplicable, expect, expect_equal
from registry import check
from target import error_of

TYPES = {
    "invalid_request_error", "authentication_error", "permission_error", "not_found_error", "rate_limit_error",
    "rate_limit_exceeded", "insufficient_quota", "server_error"}


def failures(s):
    """Errors that the run has met so far."""
    return [e for e in s.target.exchanges if e.status >= 400]


def provoke(s):
    """Some of each kind, so that the section can run alone."""
    for method, path, options in [
        ("GET", "/v1/nowhere", {}), ("PUT", "/v1/files", {}), ("POST", "/v1/batches", {"content": b"{nope"}),
        ("POST", "/v1/batches", {"json": [1]}), ("GET", "/v1/files/file-0", {}), ("GET", "/v1/batches?limit=0", {}),
        ("POST", "/v1/files", {"content": b"x", "headers": {"content-type": "text/plain"}}),
    ]:
        s.target.http.request(method, path, **options)


@check("A9-01", "MUST", "an error has message, type, param, code, all four always")
def four_keys(s):
    provoke(s)
    for exchange in failures(s):
        expect(exchange.body is not None, f"{exchange}: {exchange.content_type or 'nothing'} in place of JSON")
        error = exchange.json().get("error")
        expect(isinstance(error, dict) and {"message", "type", "param", "code"} <= set(error),
               f"{exchange}: {exchange.body[:120]!r}")
        expect(isinstance(error["message"], str) and error["message"], f"{exchange}: no message")
    return f"{len(failures(s))} errors, status {', '.join(map(str, sorted({e.status for e in failures(s)})))}"


@check("A9-02", "MUST", "type is one of the vocabulary")
def types(s):
    provoke(s)
    found = {e.json()["error"]["type"] for e in failures(s)}
    expect(found <= TYPES, f"others: {sorted(found - TYPES)}")
    return ", ".join(sorted(found))


@check("A9-03", "MUST", "statuses: 400, 401, 404, 405, 409, 413, 415")
def statuses(s):
    error_of(s.target.http.post("/v1/batches", content=b"{nope"), 400)
    error_of(s.target.http.get("/v1/batches/batch_0"), 404)
    error_of(s.target.http.post("/v1/files", content=b"x", headers={"content-type": "text/plain"}), (400, 415))
    large = s.target.http.post("/v1/batches", content=b" " * ((1 << 20) + 1),
                               headers={"content-type": "application/json"})
    expect(large.status_code in (400, 413), f"a body of more than 1 MiB -> {large.status_code}")
    if s.target.other_key is None:
        raise NotApplicable("400, 404, 413 and 415 seen; 401 needs a server with keys (OTHER_API_KEY)")
    client = s.target.plain_client("sk-nobody")
    error = error_of(client.get("/v1/batches"), 401)
    client.close()
    expect_equal(error["code"], "invalid_api_key", "code of 401")
    return "400, 401, 404, 413, 415"


@check("A9-04", "MUST", "wrong paths, methods and bad JSON have the same error object")
def same_object(s):
    for method, path, options, status in [
        ("GET", "/nowhere", {}, 404), ("GET", "/v1/nowhere", {}, 404), ("PUT", "/v1/files", {}, 405),
        ("DELETE", "/v1/batches", {}, 405), ("POST", "/v1/batches", {"content": b"{nope"}, 400),
        ("POST", "/v1/batches", {"content": b"\xff"}, 400), ("POST", "/v1/batches", {"json": []}, 400),
        ("POST", "/v1/batches", {"content": b""}, 400),
        ("GET", "/v1/batches", {"headers": {"x": "y" * 200_000}}, (400, 431)),
    ]:
        error_of(s.target.http.request(method, path, **options), status)
    head = s.target.http.put("/v1/files").headers
    expect("allow" in head, "405 without Allow")
    return "404, 405 with Allow, 400, a header of 200 KB"


@check("A9-05", "MUST", "429 and 503 carry Retry-After")
def retry_after(s):
    found = [e for e in failures(s) if e.status in (429, 503)]
    if s.target.pair is not None:
        found.append(s.target.pair.unavailable())
    if not found:
        raise NotApplicable("no 429 or 503 was met")
    for exchange in found:
        expect("retry-after" in exchange.headers, f"{exchange} without Retry-After")
        expect(re.fullmatch(r"\d+", exchange.headers["retry-after"]), exchange.headers["retry-after"])
    return f"{found[-1]}, {found[-1].headers['retry-after']} s"


@check("A9-06", "SHOULD", "x-request-id on every answer, x-ratelimit-* where there are limits")
def request_id(s):
    provoke(s)
    without = [e for e in s.target.exchanges if "x-request-id" not in e.headers and not is_transport_error(e)]
    expect(not without, f"{len(without)} of {len(s.target.exchanges)} without, such as {without and without[0]}")
    durations = [value for e in s.target.exchanges for name, value in e.headers.items()
                 if re.fullmatch(r"x-ratelimit-reset-(requests|tokens)", name)]
    wrong = [d for d in durations if not re.fullmatch(r"(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?", d) or not d]
    expect(not wrong, f"durations {wrong[:3]}")
    limits = f"x-ratelimit-reset such as {durations[0]}" if durations else "no limits in force"
    return f"{len(s.target.exchanges)} answers; {limits}"


def is_transport_error(exchange):
    """A request that was refused before it was one, such as a head that is too large."""
    return exchange.status == 431


@check("A9-07", "SHOULD", "openai-processing-ms")
def processing(s):
    answer = s.chat
    value = answer.headers.get("openai-processing-ms")
    expect(value is not None and re.fullmatch(r"\d+", value), f"openai-processing-ms: {value}")
    return f"{value} ms"
