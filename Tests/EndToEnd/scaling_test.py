"""Three gateways before one scheduler, a client that takes them in turn, and one of them killed in the middle; and
gateways before two schedulers.

What each client saw is in the history: an answer, an error of the service's that asks for another try, or a connection that
ended. At the end every promise is checked over it (`history.violations`)."""

import collections
import concurrent.futures
import itertools
import json
import threading
import unittest

import httpx

from history import violations
from recorded import RecordedServices
from sdk_test import jsonl, request
from services import Services, wait_for

GATEWAYS = 3
WORKERS = 6
ROUNDS = 4
LINES = 40
CONTENT = bytes(range(256)) * 40_000


class ScaledServices(RecordedServices):
    """`url` is another gateway each time, also one that is gone, as for a client behind a plain round robin."""

    def start_pair(self):
        self.scheduler = self.start_scheduler()
        self.gateways = [self.start_gateway(self.scheduler) for _ in range(GATEWAYS)]
        self.turns = itertools.cycle(self.gateways)
        self.lock = threading.Lock()

    @property
    def url(self):
        with self.lock:
            return f"http://{next(self.turns).address}"

    def fetch(self, file, size):
        """A download that goes on where it was cut, at the next gateway; gives the bytes and how often it was cut."""
        content, cuts = b"", 0
        while len(content) < size:
            headers = {"range": f"bytes={len(content)}-"}
            try:
                with self.http.stream("GET", f"{self.url}/v1/files/{file}/content", headers=headers) as answer:
                    if answer.status_code == 206:
                        for piece in answer.iter_raw(64 << 10):
                            content += piece
                    else:
                        assert answer.status_code in (502, 503, 504), answer.status_code
            except httpx.TransportError:
                cuts += 1
        return content, cuts


class Scaling(unittest.TestCase):
    def test_a_gateway_killed_under_uploads_streams_and_polls_costs_another_try(self):
        services = ScaledServices(engine=("--time-to-first-token", "20ms"), scheduler=("--engine-concurrency", 16,
                                  "--sweep-interval", "1s"))
        self.addCleanup(services.stop)
        large = services.call("upload", 0, "POST", "/v1/files", data={"purpose": "user_data"},
                              files={"file": ("large.bin", CONTENT)}).body["id"]
        killed = threading.Event()

        def work(_):
            cuts = rounds = 0
            # Until each worker has gone on for some rounds without the gateway.
            while rounds < ROUNDS:
                order, _, batch = services.order(["Hello"] * LINES)
                content, cut = services.fetch(large, len(CONTENT))
                self.assertTrue(content == CONTENT, "the bytes are others")
                cuts += cut
                ended = services.ended(order, batch)
                self.assertEqual((ended["status"], ended["request_counts"]["completed"]), ("completed", LINES))
                rounds += killed.is_set()
            return cuts

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            workers = [pool.submit(work, n) for n in range(WORKERS)]
            wait_for(lambda: len(services.history.orders) > 2 * WORKERS, "the workers to be at it")
            services.gateways[1].kill()
            killed.set()
            cuts = sum(worker.result() for worker in workers)
        self.assertEqual(violations(services.collect(with_blobs=True)), [])
        seen = collections.Counter(
            (call.operation, call.status if call.status is not None else "cut") for call in services.history.calls
        )
        print(f"{dict(sorted(seen.items(), key=str))}, downloads cut {cuts} ", end="", flush=True)
        # The killed gateway was in use, and nobody saw anything but answers and cut connections.
        self.assertGreater(sum(count for (_, status), count in seen.items() if status == "cut"), 0)
        statuses = {status for _, status in seen}
        self.assertLessEqual(statuses, {200, "cut", 503})

    def test_a_killed_gateways_streams_end_and_cost_the_engine_nothing_more(self):
        services = ScaledServices(engine=("--time-per-token", "20ms"))
        self.addCleanup(services.stop)
        body = {"model": "simulated-model", "stream": True, "max_tokens": 100,
                "messages": [{"role": "user", "content": "Hello"}]}
        started = [threading.Event() for _ in services.gateways]

        def stream(number, gateway):
            """What came of a streamed answer, and whether its connection was cut."""
            text = ""
            headers = {"x-request-id": f"stream-{number}"}
            try:
                with services.http.stream("POST", f"http://{gateway.address}/v1/chat/completions", json=body,
                                          headers=headers) as answer:
                    self.assertEqual(answer.status_code, 200)
                    for piece in answer.iter_text():
                        text += piece
                        started[number].set()
            except httpx.TransportError:
                return text, True
            return text, False

        with concurrent.futures.ThreadPoolExecutor(GATEWAYS) as pool:
            streams = [pool.submit(stream, *numbered) for numbered in enumerate(services.gateways)]
            for event in started:
                self.assertTrue(event.wait(30))
            services.gateways[1].kill()
            ends = [one.result() for one in streams]
        self.assertEqual([cut for _, cut in ends], [False, True, False])
        # No end mark says that a cut stream was whole.
        self.assertEqual(["[DONE]" in text for text, _ in ends], [True, False, True])

        def outcomes():
            entries = [json.loads(line) for line in services.witness.read_text().splitlines()]
            found = {entry["id"]: entry["outcome"] for entry in entries}
            return found if len(found) == GATEWAYS else None

        found = wait_for(outcomes, "the engine's ledger")
        self.assertEqual([found[f"stream-{n}"] for n in range(GATEWAYS)], ["ok", "cancelled", "ok"])

    def test_all_gateways_say_the_same(self):
        services = ScaledServices()
        self.addCleanup(services.stop)
        order, file, batch = services.order(["Hello"] * LINES)
        services.ended(order, batch)
        answers = collections.defaultdict(set)
        for gateway in services.gateways:
            for path in (f"/v1/batches/{batch}", "/v1/batches", f"/v1/files/{file}", "/v1/files", "/v1/models"):
                answers[path].add(services.http.get(f"http://{gateway.address}{path}").text)
        self.assertEqual({path: len(texts) for path, texts in answers.items()}, dict.fromkeys(answers, 1))


class TwoSchedulers(unittest.TestCase):
    """Gateways for both, and one for each."""

    def test_early_results_come_from_the_scheduler_that_runs_the_batch_whichever_is_asked(self):
        services = Services(engine=("--time-to-first-token", "100ms"), scheduler=("--engine-concurrency", 4))
        self.addCleanup(services.stop)
        second = services.start_scheduler()
        # Of two that do nothing a gateway asks the first.
        of_both = [services.start_gateway(*order) for order in itertools.permutations((services.scheduler, second))]
        of_one = [services.start_gateway(scheduler) for scheduler in (services.scheduler, second)]
        http = httpx.Client(timeout=30)
        self.addCleanup(http.close)
        content = jsonl(request(f"n{n}") for n in range(400))
        file = http.post(f"{services.url}/v1/files", data={"purpose": "batch"},
                         files={"file": ("a.jsonl", content)}).json()["id"]
        batch = http.post(f"{services.url}/v1/batches", json={
            "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}).json()["id"]

        def results(gateway):
            return http.get(f"http://{gateway.address}/v1/batches/{batch}/results")

        def first_results():
            """The first lines that its owner has, long before their number is stored."""
            for gateway in of_one:
                answer = results(gateway)
                if answer.status_code == 200 and answer.text:
                    return gateway, answer.text
            return None

        owner, lines = wait_for(first_results, "the first results")
        for gateway in of_both * 5:
            answer = results(gateway)
            self.assertEqual((answer.status_code, answer.headers.get("x-backfill-incomplete")), (200, "true"), answer.text)
            seen = answer.text.splitlines()
            self.assertLessEqual(set(lines.splitlines()), set(seen))
            lines = answer.text
        # A gateway that does not know the owner says so, rather than that there is nothing.
        other = of_one[1 - of_one.index(owner)]
        refused = results(other)
        self.assertEqual((refused.status_code, refused.json()["error"]["code"]), (503, "results_elsewhere"))
        self.assertEqual(http.post(f"{services.url}/v1/batches/{batch}/cancel").status_code, 200)


class OtherModels(unittest.TestCase):
    """Gateways for two schedulers whose engines have one model each."""

    def setUp(self):
        self.services = Services(engine=("--model", "model-1"))
        self.addCleanup(self.services.stop)
        self.first_engine = self.services.engine_address
        engine = self.services.start("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--model", "model-2")
        self.services.engine_address = engine.address
        self.second = self.services.start_scheduler()
        self.gateways = [self.services.start_gateway(*order)
                         for order in itertools.permutations((self.services.scheduler, self.second))]
        self.http = httpx.Client(timeout=30)
        self.addCleanup(self.http.close)

    def ask(self, gateway, model, **more):
        return self.http.post(f"http://{gateway.address}/v1/chat/completions", json={
            "model": model, "messages": [{"role": "user", "content": "Hello"}], **more})

    def models(self, gateway):
        return [model["id"] for model in self.http.get(f"http://{gateway.address}/v1/models").json()["data"]]

    def test_requests_find_the_scheduler_that_has_their_model(self):
        # At once, before a gateway has looked, and when it has.
        for gateway, model in itertools.product(self.gateways, ("model-1", "model-2") * 5):
            answer = self.ask(gateway, model)
            self.assertEqual((answer.status_code, answer.json().get("model")), (200, model), answer.text)
            self.assertTrue(self.ask(gateway, model, stream=True).text.endswith("data: [DONE]\n\n"))
        for gateway in self.gateways:
            unknown = self.ask(gateway, "model-3")
            self.assertEqual((unknown.status_code, unknown.json()["error"]["code"]), (404, "model_not_found"))

    def test_a_scheduler_that_came_later_is_asked_before_its_model_is_unknown(self):
        self.second.kill()
        # Of two that do nothing it asks the first.
        gateway = self.services.start_gateway(self.services.scheduler, self.second)
        self.assertEqual(self.ask(gateway, "model-2").status_code, 404)
        self.services.start_scheduler(listen=self.second.address)
        wait_for(lambda: self.models(gateway) == ["model-1", "model-2"], "the scheduler")
        # The gateway has not looked of its own accord yet: the same request finds it.
        answer = self.ask(gateway, "model-2")
        self.assertEqual(answer.status_code, 200, answer.text)

    def test_the_list_of_models_is_that_of_all_schedulers(self):
        for gateway in self.gateways:
            wait_for(lambda: len(self.models(gateway)) == 2, "both schedulers")
            self.assertEqual(self.models(gateway), ["model-1", "model-2"])
            for model in ("model-1", "model-2"):
                self.assertEqual(self.http.get(f"http://{gateway.address}/v1/models/{model}").json()["id"], model)

    def test_a_model_whose_scheduler_is_gone_is_not_unknown_and_the_others_are_served(self):
        for gateway in self.gateways:
            self.assertEqual(self.ask(gateway, "model-1").status_code, 200)
        self.services.scheduler.kill()
        for gateway, _ in itertools.product(self.gateways, range(5)):
            self.assertEqual(self.ask(gateway, "model-2").status_code, 200)
            gone = self.ask(gateway, "model-1")
            self.assertEqual((gone.status_code, gone.headers["retry-after"]), (503, "1"), gone.text)
            self.assertEqual(self.models(gateway), ["model-2"])
        self.services.engine_address = self.first_engine
        self.services.start_scheduler(listen=self.services.scheduler.address)
        for gateway in self.gateways:
            wait_for(lambda: self.ask(gateway, "model-1").status_code == 200, "the scheduler")


if __name__ == "__main__":
    unittest.main()
