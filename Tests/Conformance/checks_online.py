"""A10: online requests and streams."""

import json
import time

from outcomes import Deviation, Elsewhere, Failed, NotApplicable, expect, expect_equal
from registry import check
from session import chunks, events
from target import error_of

REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}


@check("A10-01", "MUST", "an answer is chat.completion; a stream is events and ends with [DONE]")
def kinds(s):
    expect_equal(s.chat.json()["object"], "chat.completion", "object")
    headers, text = s.streamed
    expect(headers["content-type"].startswith("text/event-stream"), headers["content-type"])
    found = events(text)
    expect_equal(found[-1], "[DONE]", "the last event")
    expect(text.endswith("\n\n"), "the last event is not ended")
    answer = s.target.sdk.chat.completions.create(**s.target.question("Say hello", max_tokens=8))
    expect(answer.choices[0].message.content is not None, "no content by the SDK")
    return f"{len(found)} events"


@check("A10-02", "MUST", "chunks: same id, created and model; role first, finish_reason last")
def chunk_shape(s):
    found = chunks(s.streamed[1])
    for chunk in found:
        expect_equal(chunk["object"], "chat.completion.chunk", "object")
        expect_equal([chunk[k] for k in ("id", "created", "model")], [found[0][k] for k in ("id", "created", "model")],
                     "id, created, model")
    expect_equal(found[0]["choices"][0]["delta"].get("role"), "assistant", "role of the first delta")
    last = [c for c in found if c["choices"]][-1]["choices"][0]
    expect(not last["delta"].get("content") and last["finish_reason"] in REASONS, f"the last: {last}")
    pieces = [c.choices[0].delta.content or "" for c in s.target.sdk.chat.completions.create(
        **s.target.question("Say hello", max_tokens=8), stream=True) if c.choices]
    whole = "".join(c["choices"][0]["delta"].get("content") or "" for c in found if c["choices"])
    if s.target.simulated:
        expect_equal("".join(pieces), whole, "the SDK's text")
    return f"{len(found)} chunks, {last['finish_reason']}"


@check("A10-03", "MUST", "include_usage: usage null in chunks, then one with choices [] and the usage")
def include_usage(s):
    found = chunks(s.streamed_usage[1])
    expect(all("usage" in c and c["usage"] is None for c in found[:-1]), "a chunk without usage: null")
    expect_equal(found[-1]["choices"], [], "choices of the last")
    expect(found[-1]["usage"]["total_tokens"] > 0, f"usage {found[-1]['usage']}")
    return str(found[-1]["usage"]["total_tokens"]) + " tokens"


@check("A10-04", "MUST", "an error before the first byte is HTTP; later an error event without [DONE]")
def errors(s):
    unknown = s.target.http.post("/v1/chat/completions", json={**s.target.question(stream=True), "model": "nobody"})
    error_of(unknown, 404)
    if not s.target.simulated:
        raise NotApplicable("404 before the first byte; a break needs an engine that breaks off when asked")
    before = s.target.http.post("/v1/chat/completions", json=s.target.question("[[fault:status;code=422]]", stream=True))
    error_of(before, 422)
    with s.target.http.stream("POST", "/v1/chat/completions",
                              json=s.target.question("[[fault:reset_body]]", stream=True)) as answer:
        text = answer.read().decode()
    expect(answer.status_code == 200, f"a stream that breaks off -> {answer.status_code} {text[:100]}")
    found = events(text)
    expect("[DONE]" not in found, "[DONE] after a break")
    expect("error" in json.loads(found[-1]), f"the last event: {found[-1][:100]}")
    return found[-1]


@check("A10-05", "MUST", "a client that goes cancels its request at the engine")
def client_gone(s):
    if s.target.witness is None:
        raise NotApplicable("needs the engine's ledger")

    def cancelled():
        return sum('"cancelled"' in line for line in s.target.witness.read_text().splitlines())

    before = cancelled()
    with s.target.http.stream("POST", "/v1/chat/completions", json=s.target.question("Tell me", stream=True)) as answer:
        expect(answer.status_code == 200, f"POST /v1/chat/completions -> {answer.status_code}")
        next(answer.iter_raw())
    deadline = time.monotonic() + 10
    while cancelled() == before:
        expect(time.monotonic() < deadline, "the engine was never told")
        time.sleep(0.01)
    return "the engine saw the cancel"


@check("A10-06", "SHOULD", "service_tier is taken and the tier that was used is told")
def service_tier(s):
    used = []
    for tier in ("auto", "default", "flex", "priority"):
        answer = s.target.http.post("/v1/chat/completions", json=s.target.question("a", max_tokens=1, service_tier=tier))
        expect(answer.status_code == 200, f"{tier} -> {answer.status_code} {answer.text[:100]}")
        if "service_tier" not in answer.json():
            used.append(f"{tier}: {answer.headers.get('x-backfill-service-tier')}")
    if used:
        raise Deviation("; ".join(used), "The body stays the engine's")
    return "in the answer"


@check("A10-07", "SHOULD", "unknown keys of a body go through unchanged")
def unknown_keys(s):
    answer = s.target.http.post("/v1/chat/completions", json=s.target.question(
        "a", max_tokens=1, priority=7, guided_json={"type": "object"}, chat_template_kwargs={"enable_thinking": False}))
    expect(answer.status_code == 200, f"{answer.status_code} {answer.text[:100]}")
    if s.target.simulated:
        marker = s.target.http.post("/v1/chat/completions", json=s.target.question("a", x="[[fault:status;code=418]]"))
        expect_equal(marker.status_code, 418, "what the engine does on an unknown key")
    return "they reach the engine"


@check("A10-08", "MUST", "chunk in, chunk out: nothing is gathered")
def no_gathering(s):
    if s.target.pair is None:
        raise NotApplicable("needs an engine whose pace is known")
    for _ in range(3):
        arrivals = []
        with s.target.http.stream("POST", "/v1/chat/completions",
                                  json=s.target.question("A longer answer", stream=True)) as answer:
            expect(answer.status_code == 200, f"{answer.status_code}")
            for _ in answer.iter_raw():
                arrivals.append(time.monotonic())
        if len(arrivals) >= 10:
            return f"{len(arrivals)} reads of one answer"
    raise Failed(f"only {len(arrivals)} reads of one answer")


@check("A10-09", "SHOULD", "an engine's event stream is read tolerantly")
def tolerant(s):
    raise Elsewhere("online_test.Streams.test_A10_09_odd_event_streams")
