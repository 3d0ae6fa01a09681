"""T-11 to T-18: engines that are away, slow, broken, hostile, full or changed. Whatever they do, every line ends
exactly once, the batch ends, and the scheduler stays up.

T-14 is about streamed answers. Lines of batches are not streamed to engines (`stream_not_supported`), so what is left
of it here is that a stream which nobody asked for is an invalid answer; the rest belongs to the online endpoints.
"""

import email.utils
import gzip
import itertools
import json
import sys
import time
import unittest

from fault_proxy import TO_CLIENT, TO_SERVER, FaultProxy
from history import violations
from raw_engine import GOOD_BODY, RawEngine, Reply, answer
from recorded import RecordedServices, executions
from services import wait_for

MOST_ATTEMPTS = 5
# Limits of the engine client that are minutes long by default.
SHORT_LIMITS = ("--engine-connect-timeout", "1s", "--engine-first-byte-timeout", "1s", "--engine-idle-timeout", "1s",
                "--engine-total-timeout", "3s")
# What an answer may hold is 64 MiB; a debug build and its buffers come on top.
MEMORY_LIMIT = 300 << 20


class EngineFaults(unittest.TestCase):
    def start(self, engine_address=None, scheduler=("--engine-concurrency", 32), **options):
        services = RecordedServices(engine_address=engine_address, scheduler=scheduler, **options)
        self.services = services
        self.addCleanup(services.stop)
        self.first_scheduler = services.scheduler.process.pid
        return services

    def start_raw(self, scripts=None, **options):
        engine = RawEngine(scripts)
        self.addCleanup(engine.stop)
        self.start(engine.address, **options)
        engine.witness = self.services.witness
        return engine

    def start_behind_proxy(self, **options):
        """The simulated engine, a proxy before it, and a scheduler that knows the proxy."""
        services = self.start(**options)
        services.scheduler.kill()
        proxy = FaultProxy(services.engine.address)
        self.addCleanup(proxy.stop)
        services.engine_address = proxy.address
        services.restart_at()
        self.first_scheduler = services.scheduler.process.pid
        return proxy

    def outcomes(self, order, batch, seconds=60):
        """The error code of each line, or its HTTP status, in input order; checks that each line has one outcome."""
        services = self.services
        ended = wait_for(
            lambda: (b := services.get(order, batch))["completed_at"] and b, f"the end of {batch}", seconds)
        found = {}
        for file in filter(None, (ended["output_file_id"], ended["error_file_id"])):
            for text in services.http.get(f"{services.url}/v1/files/{file}/content").text.splitlines():
                line = json.loads(text)
                self.assertNotIn(line["custom_id"], found)
                found[line["custom_id"]] = (line["error"] or {}).get("code") or line["response"]["status_code"]
        self.assertEqual(sorted(found), sorted(services.history.orders[order]))
        return [found[line] for line in services.history.orders[order]]

    def run_order(self, prompts, seconds=60):
        order, _, batch = self.services.order(prompts)
        return self.outcomes(order, batch, seconds)

    def check(self):
        """The promises hold and nobody had to start the scheduler again."""
        # Engines that fail are asked again without a crash: the tests count executions themselves, in place of I-07.
        found = [v for v in violations(self.services.collect()) if not v.startswith("I-07")]
        self.assertEqual(found, [])
        self.assertTrue(self.services.scheduler.runs)
        self.assertEqual(self.services.scheduler.process.pid, self.first_scheduler)

    def executions(self):
        return len(list(executions(self.services.witness)))

    def waiting_reason(self, order, batch):
        return (self.services.get(order, batch).get("backfill") or {}).get("waiting_reason")


class Away(EngineFaults):
    def test_T11_an_engine_that_refuses_connections_is_waited_for(self):
        proxy = self.start_behind_proxy()
        proxy.refuse()
        order, _, batch = self.services.order(["Hello"] * 20)
        wait_for(lambda: proxy.address in (self.waiting_reason(order, batch) or ""), "a reason that names the engine")
        proxy.accept()
        self.assertEqual(self.outcomes(order, batch), [200] * 20)
        # What could not be connected was not sent.
        self.assertEqual(self.executions(), 20)
        self.check()

    def test_T11_an_engine_that_resets_before_in_headers_or_in_mid_body_is_tried_again(self):
        whole = answer()
        offsets = [0, 1, 12, 30, len(whole) - len(GOOD_BODY) - 2, len(whole) - len(GOOD_BODY), len(whole) - 50,
                   len(whole) - 1]
        scripts = {f"once at {n}": lambda count, n=n: Reply([whole[:n]], "reset") if count == 1 else whole
                   for n in offsets}
        scripts |= {f"always at {n}": lambda _, n=n: Reply([whole[:n]], "reset") for n in offsets}
        engine = self.start_raw(scripts)
        self.assertEqual(self.run_order([f"once at {n}" for n in offsets] + ["good"]), [200] * (len(offsets) + 1))
        self.assertEqual(self.run_order([f"always at {n}" for n in offsets] + ["good"]),
                         ["engine_connection_error"] * len(offsets) + [200])
        for n in offsets:
            self.assertEqual(engine.asked[f"once at {n}"], 2, n)
            # No whole line on a connection that was used before: the HTTP client tries once more by itself.
            most = MOST_ATTEMPTS * (2 if n < whole.index(b"\n") else 1)
            self.assertIn(engine.asked[f"always at {n}"], range(MOST_ATTEMPTS, most + 1), n)
        self.check()

    def swallowed_requests(self, proxy):
        return proxy.swallowed(TO_SERVER).count(b"POST ")

    def test_T11_T12_a_half_open_engine_costs_attempts_and_no_batch(self):
        proxy = self.start_behind_proxy(scheduler=("--engine-concurrency", 4, *SHORT_LIMITS))
        self.assertEqual(self.run_order(["Hello"]), [200])
        proxy.swallow(TO_SERVER, TO_CLIENT)
        order, _, batch = self.services.order(["Hello"] * 4)
        wait_for(lambda: self.swallowed_requests(proxy) >= 8, "as many second attempts as there are lines")
        proxy.heal()
        self.assertEqual(self.outcomes(order, batch), [200] * 4)
        self.check()

    def test_T11_lost_packets_cost_attempts_and_no_batch(self):
        proxy = self.start_behind_proxy(scheduler=("--engine-concurrency", 4, *SHORT_LIMITS))
        self.assertEqual(self.run_order(["Hello"]), [200])
        proxy.lose_packets(TO_SERVER, TO_CLIENT)
        order, _, batch = self.services.order(["Hello"] * 4)
        # Some of them found no connection.
        wait_for(lambda: proxy.address in (self.waiting_reason(order, batch) or ""), "a reason that names the engine")
        proxy.heal()
        self.assertEqual(self.outcomes(order, batch), [200] * 4)
        self.check()

    def test_T11_I09_a_batch_at_a_half_open_engine_can_be_cancelled(self):
        proxy = self.start_behind_proxy(scheduler=("--engine-concurrency", 4))
        self.assertEqual(self.run_order(["Hello"]), [200])
        before = proxy.passed(TO_SERVER)
        proxy.swallow(TO_SERVER, TO_CLIENT)
        order, _, batch = self.services.order(["Hello"] * 8)
        wait_for(lambda: self.swallowed_requests(proxy) >= 4, "a request in each place of the engine")
        self.services.cancel(order, batch)
        self.assertEqual(self.services.ended(order, batch)["status"], "cancelled")
        self.assertEqual(proxy.passed(TO_SERVER), before)
        self.check()

    def test_T16_a_batch_outlives_the_death_of_every_engine(self):
        services = self.start(engine=("--time-to-first-token", "100ms"), scheduler=("--engine-concurrency", 4))
        order, _, batch = services.order(["Hello"] * 100)
        wait_for(lambda: services.get(order, batch)["request_counts"]["completed"] > 10, "some answers")
        services.engine.kill()
        wait_for(lambda: self.waiting_reason(order, batch), "a reason")
        self.start_engine()
        self.assertEqual(self.outcomes(order, batch), [200] * 100)
        # What it was at when it died did not reach the ledger, or ran once more.
        self.assertLessEqual(self.executions(), 100 + 4)
        self.check()

    def start_engine(self, *arguments):
        """At the address of the one before."""
        services = self.services
        services.engine = services.start("backfill-engine-simulator", "--listen", services.engine.address,
                                         "--witness", services.witness, *arguments)

    def test_T16_lines_wait_for_their_model_while_the_engine_serves_another_one(self):
        services = self.start(engine=("--time-to-first-token", "100ms"), scheduler=("--engine-concurrency", 4))
        order, _, batch = services.order(["Hello"] * 100)
        wait_for(lambda: services.get(order, batch)["request_counts"]["completed"] > 10, "some answers")
        services.engine.kill()
        wait_for(lambda: "Connection refused" in (self.waiting_reason(order, batch) or "") or
                 "connect" in (self.waiting_reason(order, batch) or ""), "the engine to be missed")
        self.start_engine("--model", "another-model")
        reason = wait_for(lambda: (r := self.waiting_reason(order, batch)) and "simulated-model" in r and r, "a reason")
        self.assertIn("no engine serves", reason)
        services.engine.kill()
        # An idle engine that serves the wrong model is asked again every 30 s.
        self.start_engine()
        self.assertEqual(self.outcomes(order, batch, 90), [200] * 100)
        self.check()

    def test_T16_a_model_that_left_between_two_looks_costs_no_line(self):
        """The engine restarts with another model while no request is under way, so that only a 404 tells of it."""
        services = self.start(scheduler=("--engine-concurrency", 4))
        self.assertEqual(self.run_order(["Hello"]), [200])
        services.engine.kill()
        self.start_engine("--model", "another-model")
        order, _, batch = services.order(["Hello"] * 8)
        wait_for(lambda: self.waiting_reason(order, batch) or services.get(order, batch)["completed_at"], "a word")
        services.engine.kill()
        self.start_engine()
        self.assertEqual(self.outcomes(order, batch, 90), [200] * 8)
        self.check()


class Slow(EngineFaults):
    def hanging_scripts(self):
        whole = answer()
        head, body = whole[:-len(GOOD_BODY)], GOOD_BODY

        def trickle(text):
            for byte in text:
                yield bytes([byte])
                time.sleep(0.5)

        # Neither a length nor chunks: the answer ends when the connection does, and that never happens.
        without_end = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + body
        return {
            "no byte": Reply([], "hold"),
            "part of the head": Reply([head[:30]], "hold"),
            "slow head": Reply(trickle(head), "hold"),
            "half of the body": Reply([head + body[:50]], "hold"),
            "slow body": Reply(itertools.chain([head], trickle(body)), "hold"),
            "never closed": Reply([without_end], "hold"),
        }

    def test_T12_an_engine_that_hangs_or_crawls_runs_into_a_limit_and_is_tried_again(self):
        whole = answer()
        scripts = {prompt: lambda count, prompt=prompt: self.hanging_scripts()[prompt] if count == 1 else whole
                   for prompt in self.hanging_scripts()}
        scripts["always"] = lambda _: Reply([], "hold")
        engine = self.start_raw(scripts, scheduler=("--engine-concurrency", 32, *SHORT_LIMITS))
        outcomes = self.run_order([*self.hanging_scripts(), "good", "always"])
        self.assertEqual(outcomes, [200] * (len(outcomes) - 1) + ["engine_timeout"])
        self.assertEqual({prompt: engine.asked[prompt] for prompt in scripts},
                         {prompt: 2 for prompt in self.hanging_scripts()} | {"always": MOST_ATTEMPTS})
        self.check()

    def test_T12_I09_a_batch_of_lines_that_hang_or_crawl_can_be_cancelled(self):
        scripts = {prompt: lambda _, prompt=prompt: self.hanging_scripts()[prompt] for prompt in self.hanging_scripts()}
        self.start_raw(scripts)
        order, _, batch = self.services.order(["good"] * 3 + [*scripts] * 2)
        wait_for(lambda: self.services.get(order, batch)["request_counts"]["completed"] == 3, "the good lines")
        self.services.cancel(order, batch)
        ended = self.services.ended(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]["completed"]), ("cancelled", 3))
        # I-04 and I-09 of the checker: one outcome for each line, within the bound.
        self.check()

    def test_T18_load_shifts_away_from_a_replica_that_is_ten_times_slower(self):
        services = self.start(engine=("--time-to-first-token", "20ms"), scheduler=("--engine-concurrency", 4))
        slow_witness = services.path / "slow.jsonl"
        slow = services.start("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--witness", slow_witness,
                              "--time-to-first-token", "200ms")
        services.scheduler.kill()
        services.scheduler_arguments += ("--engine", f"http://{slow.address}")
        services.restart_at()
        self.first_scheduler = services.scheduler.process.pid
        wait_for(lambda: services.http.get(services.url + "/readyz").status_code == 200, "the scheduler")
        self.assertEqual(self.run_order(["Hello"] * 400), [200] * 400)
        at_fast, at_slow = self.executions(), len(list(executions(slow_witness)))
        self.assertEqual(at_fast + at_slow, 400)
        # Ten to one in theory; both must have worked.
        self.assertGreater(at_fast, 3 * at_slow)
        self.assertGreater(at_slow, 4)
        # Both ledgers are needed to tell whose lines ran.
        with open(services.witness, "a") as ledger:
            ledger.write(slow_witness.read_text())
        self.check()


class Hostile(EngineFaults):
    def test_T13_answers_that_are_not_JSON_become_error_lines(self):
        bomb = gzip.compress(bytes(200 << 20), compresslevel=9)
        cases = {
            "HTML": answer(b"<html><body>It works!</body></html>", content_type="text/html"),
            "half of the JSON": answer(GOOD_BODY[:-20]),
            "two JSON values": answer(GOOD_BODY + GOOD_BODY),
            "empty": answer(b""),
            "nothing with a 204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "blanks": answer(b" \r\n\t "),
            "deep arrays": answer(b"[" * 100_000 + b"]" * 100_000),
            "deep objects": answer(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
            "open arrays": answer(b"[" * 100_000),
            "invalid UTF-8": answer(b'{"a":"\xff\xfe"}'),
            "half a surrogate pair as UTF-8": answer(b'{"a":"\xed\xa0\x80"}'),
            "NUL behind": answer(GOOD_BODY + b"\0"),
            "NUL in a string": answer(b'{"a":"\0"}'),
            "NUL alone": answer(b"\0" * 100),
            "gzip bomb": answer(bomb, headers=["content-encoding: gzip"]),
            "compressed without being asked": answer(gzip.compress(GOOD_BODY), headers=["content-encoding: gzip"]),
            "redirect loop": answer(b"", status="302 Found", headers=["location: /v1/chat/completions"]),
            "length too small": Reply([answer(length=50)], "close"),
            # T-14: a stream that nobody asked for.
            "server-sent events": answer(b'data: {"choices":[]}\n\ndata: [DONE]\n\n', content_type="text/event-stream"),
        }
        self.run_hostile(cases, "invalid_engine_answer", attempts=1)

    def test_T13_answers_that_are_not_HTTP_are_tried_again_and_become_error_lines(self):
        def storm():
            while True:
                yield b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000

        good_head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        cases = {
            "length too large": Reply([answer(length=10_000)], "close"),
            "negative length": Reply([answer(length=-1)], "close"),
            "length that is no number": Reply([answer(length="ten")], "close"),
            # Which one holds nobody knows (RFC 9112, 6.3).
            "two lengths, the last one too small": answer(headers=[f"content-length: {len(GOOD_BODY)}"], length=50),
            "two lengths, the last one right": answer(headers=["content-length: 50"]),
            "bad chunk": Reply([good_head + b"transfer-encoding: chunked\r\n\r\nZZ\r\n" + GOOD_BODY], "close"),
            "unfinished chunks": Reply([good_head + b"transfer-encoding: chunked\r\n\r\n5\r\n{\"a\":"], "close"),
            "endless interim answers": lambda: Reply(storm(), "close"),
            "no HTTP": Reply([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20], "close"),
            "HTTP/0.9": Reply([GOOD_BODY], "close"),
            "header of 1 MB": Reply([good_head + b"x-long: " + b"a" * (1 << 20) + b"\r\n\r\n"], "close"),
        }
        self.run_hostile(cases, "engine_connection_error", attempts=MOST_ATTEMPTS)

    def test_T13_an_answer_above_the_limit_is_not_kept_and_not_tried_again(self):
        def endless():
            yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{\"a\":\"\r\n"
            while True:
                yield b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"

        body = b'{"a":"' + b"x" * 100_000_000 + b'"}'
        cases = {"100 MB": lambda: Reply([answer(body)], "close"), "endless": lambda: Reply(endless(), "close")}
        self.run_hostile(cases, "engine_answer_too_large", attempts=1)

    def test_T13_T14_odd_answers_that_hold_the_JSON_are_kept(self):
        chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        half = len(GOOD_BODY) // 2
        chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(p), p) for p in (GOOD_BODY[:half], GOOD_BODY[half:]))
        cases = {
            "wrong content type": answer(content_type="text/html"),
            "no content type": Reply([b"HTTP/1.1 200 OK\r\n\r\n" + GOOD_BODY], "close"),
            "headers twice": answer(headers=["x-request-id: one", "x-request-id: two", "content-type: text/plain"]),
            "same length twice": answer(headers=[f"content-length: {len(GOOD_BODY)}"]),
            "some interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" * 20 + answer(),
            "chunks with extensions and a trailer": chunked + chunks + b"0\r\nx-trailer: 1\r\n\r\n",
            "HTTP/1.0": Reply([answer().replace(b"HTTP/1.1", b"HTTP/1.0")], "close"),
            "no reason phrase": answer(status="200"),
            "CR and LF between tokens": answer(GOOD_BODY.replace(b',"', b',\r\n"')),
            "byte by byte": Reply(bytes([b]) for b in answer()),
        }
        self.run_hostile(cases, 200, attempts=1)

    def run_hostile(self, cases, outcome, attempts):
        """One line for each case, with good lines before, between and behind: those must not suffer."""
        scripts = {name: lambda _, case=case: case() if callable(case) else case for name, case in cases.items()}
        # Few connections, so that a good line follows a hostile one on the same connection.
        engine = self.start_raw(scripts, scheduler=("--engine-concurrency", 4))
        prompts = list(itertools.chain(*([f"good {n}", name] for n, name in enumerate(cases)), ["good"]))
        outcomes = self.run_order(prompts)
        expected = [outcome if prompt in cases else 200 for prompt in prompts]
        wrong = [(prompt, got, wanted) for prompt, got, wanted in zip(prompts, outcomes, expected) if got != wanted]
        self.assertEqual(wrong, [])
        self.assertEqual({name: engine.asked[name] for name in cases}, {name: attempts for name in cases})
        self.services.history.memory_limit = MEMORY_LIMIT
        self.services.history.memory.append(self.peak_memory())
        self.check()

    def peak_memory(self):
        with open(f"/proc/{self.services.scheduler.process.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


class Full(EngineFaults):
    def test_T15_a_full_engine_is_left_alone_as_long_as_it_asks_and_no_attempt_counts(self):
        hints = {"none": [], "seconds": ["retry-after: 2"], "date": None,
                 "nonsense": ["retry-after: soon, maybe"], "negative": ["retry-after: -5"],
                 "beyond 64 bits": ["retry-after: 99999999999999999999999"],
                 "twice": ["retry-after: 1", "retry-after: 2"]}
        # More often than a line may be tried, were it counted.
        times = MOST_ATTEMPTS + 1
        for name, headers in hints.items():
            with self.subTest(name):
                if name == "date":
                    headers = ["retry-after: " + email.utils.formatdate(time.time() + 4, usegmt=True)]
                full = answer(b'{"error":{"message":"full"}}', status="429 Too Many Requests", headers=headers)
                often = times if name in ("none", "negative") else 1
                engine = self.start_raw({name: lambda count: full if count <= often else answer()})
                self.assertEqual(self.run_order([name]), [200])
                self.assertEqual(engine.asked[name], often + 1)
                if name in ("seconds", "date"):
                    (first, _), (second, _) = engine.requests
                    self.assertGreater(second - first, 1.9)
                self.check()
                self.doCleanups()

    def test_T15_a_poison_line_fails_after_bounded_tries_and_the_engine_stays_in_use(self):
        error = answer(b'{"error":{"message":"boom"}}', status="500 Internal Server Error")
        engine = self.start_raw({"poison": lambda _: error})
        order, _, batch = self.services.order(["poison"] + ["good"] * 3)
        wait_for(lambda: engine.asked["poison"] > 1, "another try of the poison line")
        # Between its tries others run.
        self.assertEqual(self.run_order(["other"] * 30), [200] * 30)
        self.assertIsNone(self.services.get(order, batch)["completed_at"])
        self.assertEqual(self.outcomes(order, batch), [500] + [200] * 3)
        self.assertEqual(engine.asked["poison"], MOST_ATTEMPTS)
        self.check()


class LostReplies(EngineFaults):
    def test_T17_I07_a_line_whose_reply_was_lost_runs_again_and_is_recorded_once(self):
        proxy = self.start_behind_proxy(scheduler=("--engine-concurrency", 1))
        self.assertEqual(self.run_order(["Hello"]), [200])
        lost = 0
        for offset in (0, 1, 40, 200):
            proxy.cut(TO_CLIENT, after=offset)
            lost += 1
            self.assertEqual(self.run_order(["Hello"] * 5), [200] * 5)
            self.assertEqual(self.executions(), 1 + 5 * lost + lost, f"cut after {offset} bytes")
        self.check()

    def test_T17_I07_replies_that_are_lost_always_end_after_bounded_tries(self):
        proxy = self.start_behind_proxy(scheduler=("--engine-concurrency", 1))
        self.assertEqual(self.run_order(["Hello"]), [200])
        before = self.executions()
        proxy.cut(TO_CLIENT, after=0, times=1_000)
        self.assertEqual(self.run_order(["Hello"]), ["engine_connection_error"])
        # The HTTP client may try once more by itself when a connection that was used before is gone.
        self.assertLessEqual(self.executions() - before, 2 * MOST_ATTEMPTS)
        proxy.heal()
        self.assertEqual(self.run_order(["Hello"]), [200])
        self.check()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
