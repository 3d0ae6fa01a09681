"""T-40: a soak. Two schedulers on one store, two gateways and two engines live through random kills, pauses and faults.

    MINUTES=30 SEED=n PROGRAMS=DIR soak.py

Rounds of some minutes alternate. In each, clients place orders of all kinds while a nemesis does what the round's kind
allows. Then the faults stop, everything must end (I-11), the checker looks at the round's history, everything is
deleted and must be gone from the disk (I-12), and descriptors, threads and memory are read while nothing runs. They
are compared over the life of each process: the first gateway is never killed, schedulers live through the three rounds
between two killing ones. The run stops at the first round that finds something and keeps its evidence. The seed fixes
what is asked and what is broken in which order, not how the machine interleaves it.
"""

import collections
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import pickle
import random
import re
import shutil
import signal
import sys
import threading
import time
import traceback

import httpx

import history
from history import TERMINAL, Execution, History, violations
from recorded import RecordedServices, executions
from services import Program, wait_for

MINUTES = float(os.environ.get("MINUTES") or 30)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 31))
EVIDENCE = pathlib.Path(os.environ.get("EVIDENCE") or "out/soak")

KINDS = ("killing", "rough", "calm", "rough")
# A short run has short rounds; there are always four.
ROUND_SECONDS = min(150, MINUTES * 60 / 6)
CLIENTS = 6
CONCURRENCY = 32
LEASE_SECONDS = 3
ORDER_PATIENCE = 90
END_PATIENCE = 180

# What may run again at each kill, restart or lost lease: what is in flight at both engines.
IN_FLIGHT = 2 * CONCURRENCY
# The owner looks once a second for a cancel that the other scheduler took; the machine may be busy.
history.CANCEL_TICK = 3
# RssAnon of schedulers and gateways, whatever runs (I-13).
MEMORY_LIMIT = 96 << 20

# Flat: the last reading of a life against the first one after the warm-up, if the life was long enough.
SCALE = min(1, MINUTES / 30)
WARM_UP_SECONDS = 120 * SCALE
LIFE_SECONDS = 420 * SCALE
MORE_FILES, MORE_THREADS = 2, 1
# Threads of the system's work queues come and go with use: there is a queue for each of SQLite's five connections.
MORE_WORKERS = 8
# Idle connections between schedulers and engines are kept, at most one for each place at an engine; others are few.
MORE_SOCKETS = collections.defaultdict(lambda: IN_FLIGHT + 8, {"backfill-gateway": 8})
# A heap is not given back to the last byte, SQLite's connections fill their caches, and of two schedulers the one that
# owns the pool holds more: they change places.
MORE_MEMORY = collections.defaultdict(lambda: 4 << 20, {"backfill-scheduler": 20 << 20})
# Findings that are printed; all are kept.
SHOWN = 20
# Records of ended batches and the write-ahead log are what is left on disk when everything was deleted.
DISK_LIMIT = 128 << 20

WORDS = "river stone cloud ember quiet lantern harbor meadow copper violet winter signal".split()
FAULTS = (
    "status", "status;code=502", "status;code=400", "status_then_ok", "status_then_ok;code=503",
    "status_then_ok;code=429;retry_after=1", "reset_before", "reset_body", "garbage", "invalid_json", "empty",
    "invalid_utf8", "huge;bytes=300000", "deep;depth=5000", "crlf_body",
)
# Only an end of the batch, or of the engine, ends these.
ENDLESS = ("hang", "stall")
# Other attempts at a line with one of these are what was asked for, up to a number, and none of I-07's repeats.
RETRIED = ("[[fault:status", "[[fault:reset")
ATTEMPTS = 5
# How a line without a fault may fail: its batch ended early, or engines died under it five times.
HARMLESS = {"batch_cancelled", "batch_expired", "engine_connection_error"}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


# -- programs


@dataclasses.dataclass
class Usage:
    """What a process holds."""

    age: float
    files: int
    sockets: int
    threads: int
    workers: int
    memory: int

    def __str__(self):
        return f"{self.files} files, {self.sockets} sockets, {self.threads} threads, {self.workers} workers, {self.memory / (1 << 20):.1f} MiB"


class Slot:
    """A place for one program at a time, at one address, and what each of its lives held while nothing ran."""

    def __init__(self, services, name, label, *arguments):
        self.services, self.name, self.label, self.arguments = services, name, label, arguments
        self.extra = ()
        self.program = None
        self.pauses = []
        self.address = "127.0.0.1:0"
        self.lives = []
        services.slots.append(self)
        self.start()

    @property
    def log(self):
        return self.services.path / f"{self.label}.log"

    def start(self):
        self.program = Program(self.name, "--listen", self.address, *self.arguments, *self.extra, log=self.log)
        self.address = self.program.address
        self.began = time.monotonic()
        self.lives.append([])

    def kill(self):
        self.check()
        self.program.kill()
        self.program.process.stdout.close()

    def replace(self, pause=0.0):
        """kill -9, and another one some time later."""
        self.kill()
        time.sleep(pause)
        self.start()

    def check(self):
        assert self.program.runs, f"{self.label} ended by itself with {self.program.process.returncode}"

    def status(self, field):
        text = pathlib.Path(f"/proc/{self.program.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)[1])

    def memory(self):
        return self.status("RssAnon") << 10

    def descriptors(self):
        links = []
        for link in pathlib.Path(f"/proc/{self.program.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(link))
        return links

    def threads(self):
        """How many belong to the system's work queues, and how many do not."""
        names = []
        for task in pathlib.Path(f"/proc/{self.program.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                names.append((task / "comm").read_text())
        workers = sum("-qos" in name for name in names)
        return workers, len(names) - workers

    def usage(self):
        links = self.descriptors()
        sockets = sum(link.startswith("socket:") for link in links)
        age = time.monotonic() - self.began
        workers, threads = self.threads()
        return Usage(age, len(links) - sockets, sockets, threads, workers, self.memory())

    def read(self):
        """Reads while nothing runs: the lowest of some readings, for a timer may be at work."""
        readings = []
        for _ in range(5):
            readings.append(self.usage())
            time.sleep(0.2)
        names = [field.name for field in dataclasses.fields(Usage)]
        self.lives[-1].append(Usage(*(min(getattr(reading, name) for reading in readings) for name in names)))


def growth(slot, life):
    """What grew in a life, as text; None when the life was too short to tell."""
    warm = [usage for usage in life if usage.age >= WARM_UP_SECONDS]
    if len(warm) < 2 or warm[-1].age < LIFE_SECONDS:
        return None
    first, last = warm[0], warm[-1]
    more = {"files": MORE_FILES, "sockets": MORE_SOCKETS[slot.name], "threads": MORE_THREADS,
            "workers": MORE_WORKERS, "memory": MORE_MEMORY[slot.name]}
    return [
        f"T-40 {name} of {slot.label} grew in {last.age - first.age:.0f} s, from {first} to {last}"
        for name, most in more.items() if getattr(last, name) - getattr(first, name) > most
    ]


class SoakServices(RecordedServices):
    """Two of each. Calls go to either gateway."""

    def __init__(self):
        self.slots = []
        super().__init__(engine_address="in slots")

    def start_pair(self):
        self.engines = [
            Slot(self, "backfill-engine-simulator", f"engine-{n}", "--witness", self.path / f"witness-{n}.jsonl")
            for n in range(2)
        ]
        self.restore_engines()
        engines = [text for engine in self.engines for text in ("--engine", f"http://{engine.address}")]
        self.schedulers = [
            Slot(self, "backfill-scheduler", f"scheduler-{n}", "--data", self.path / "data", *engines,
                 "--engine-concurrency", CONCURRENCY, "--lease", f"{LEASE_SECONDS}s", "--sweep-interval", "2s")
            for n in range(2)
        ]
        addresses = [scheduler.address for scheduler in self.schedulers]
        self.gateways = [
            Slot(self, "backfill-gateway", f"gateway-{n}", "--scheduler", ",".join(order))
            for n, order in enumerate((addresses, addresses[::-1]))
        ]

    @property
    def url(self):
        return f"http://{random.choice(self.gateways).address}"

    def revive(self):
        """The nemesis starts what is gone; the client only waits a little."""
        time.sleep(0.1)

    def restore_engines(self):
        """One fast, one slow."""
        for engine, latency in zip(self.engines, ("5ms", "60ms")):
            if engine.extra != (extra := ("--time-to-first-token", latency)):
                engine.extra = extra
                engine.replace()

    def forget_connections(self):
        self.http.close()
        self.http = httpx.Client(timeout=20)

    def lost_leases(self):
        return sum(slot.log.read_text().count("the lease is lost") for slot in self.schedulers)

    def disk_bytes(self):
        sizes = 0
        for path in (self.path / "data").rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                sizes += path.stat().st_size if path.is_file() else 0
        return sizes

    def job_directories(self):
        return list((self.path / "data" / "jobs").glob("*"))

    def content(self, file):
        """All of a file, however often the connection breaks."""
        deadline = time.monotonic() + ORDER_PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.http.get(f"{self.url}/v1/files/{file}/content")
                assert answer.status_code != 404, f"I-01 {file} is gone"
                if answer.status_code == 200:
                    return answer.text
            assert time.monotonic() < deadline, f"{file} cannot be read"
            time.sleep(0.1)

    def expected_answers(self):
        """What an engine answers to each prompt without a fault. It counts bytes, so they are those of the orders."""
        url = f"http://{self.engines[0].address}/v1/chat/completions"
        return {word: self.http.post(url, content=json.dumps(body(word))).json() for word in WORDS}

    def executions(self):
        """(batch, line, start) of what the engines' ledgers have; empties them.

        What an engine runs as soon as it goes on was sent before: it counts from when the engine was paused.
        """
        found = []
        for n, engine in enumerate(self.engines):
            ledger = self.path / f"witness-{n}.jsonl"
            for batch, line, start in executions(ledger):
                pauses = [began for began, ended in engine.pauses if ended <= start < ended + 1]
                found.append((batch, line, min(pauses, default=start)))
            if ledger.exists():
                os.truncate(ledger, 0)
        return found

    def stop(self):
        """Stops everything, the gateways first; gives what did not end well."""
        wrong = []
        for slot in reversed(self.slots):
            if slot.program and slot.program.runs:
                slot.program.go_on()
                code = slot.program.terminate()
                if code != 0:
                    wrong.append(f"{slot.label} ended with {code} at SIGTERM")
        return wrong

    def kill_all(self):
        workers = [thread for thread in threading.enumerate() if isinstance(thread, Worker)]
        for worker in workers:
            worker.round.errors.append("the soak ends")
        # The nemesis may be starting something.
        for worker in workers:
            worker.join(ORDER_PATIENCE if isinstance(worker, Nemesis) else 0)
        for slot in self.slots:
            if slot.program:
                slot.program.kill()
        self.directory.cleanup()


# -- orders


def body(prompt):
    return {"model": "simulated-model", "messages": [{"role": "user", "content": prompt}]}


def request(custom_id, prompt, **more):
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body(prompt),
                       **more})


class Round:
    """What clients asked for and saw in one round."""

    def __init__(self, number, services, expected):
        self.number, self.services, self.expected = number, services, expected
        self.kind = KINDS[number % len(KINDS)]
        self.history = services.history = History(in_flight=IN_FLIGHT, memory_limit=MEMORY_LIMIT)
        self.until = time.monotonic() + ROUND_SECONDS
        self.prompts = {}
        # Orders and batches that no client waits for.
        self.later = []
        self.wrong = []
        self.errors = []
        self.placed = collections.Counter()

    def random_for(self, name):
        return random.Random(f"{SEED}/{self.number}/{name}")

    @property
    def is_over(self):
        return self.errors or time.monotonic() >= self.until

    def read_files(self, batch):
        """Reads a batch's lines and compares each answer with what engines answer to its prompt."""
        for file in filter(None, (batch["output_file_id"], batch["error_file_id"])):
            if file not in self.history.lines:
                lines = [json.loads(line) for line in self.services.content(file).splitlines()]
                self.history.lines[file] = [line["custom_id"] for line in lines]
                for line in lines:
                    self.check_line(batch["id"], line)

    def check_line(self, batch, line):
        prompt = self.prompts.get(line["custom_id"])
        if prompt not in self.expected:
            return
        if line["error"]:
            if line["error"]["code"] not in HARMLESS:
                self.wrong.append(f"I-04 line {line['custom_id']} of {batch} failed: {line['error']}")
        elif line["response"]["body"] != self.expected[prompt]:
            self.wrong.append(f"I-04 line {line['custom_id']} of {batch} has another line's answer")


    def add_executions(self, found):
        """Takes the ledgers; each attempt that a fault asks for counts as a line of its own."""
        attempts = collections.Counter()
        for batch, line, start in found:
            known = self.history.batches.get(batch)
            ids = self.history.orders[int(known["metadata"]["order"])] if known else []
            if line < len(ids) and self.prompts.get(ids[line], "").startswith(RETRIED):
                attempts[batch, line] += 1
                line = (line, attempts[batch, line])
            self.history.executions.append(Execution(batch, line, start))
        # Attempts are counted in memory: whoever takes a line over begins anew.
        most = ATTEMPTS * (1 + self.history.crashes)
        self.wrong += [
            f"I-07 line {line} of {batch} ran {count} times, at most {most} after {self.history.crashes} crashes"
            for (batch, line), count in attempts.items() if count > most
        ]


class Worker(threading.Thread):
    """Does one thing after the other until the round is over; an error ends the round."""

    def __init__(self, name, soak_round):
        super().__init__(name=name, daemon=True)
        self.random = soak_round.random_for(name)
        self.round, self.services = soak_round, soak_round.services

    def run(self):
        try:
            while not self.round.is_over:
                self.step()
        except Exception:
            self.round.errors.append(f"{self.name}: {traceback.format_exc()}")


class Client(Worker):
    """Places an order, follows it to its end, reads its files and deletes some."""

    numbers = itertools.count(1)
    KINDS = {"whole": 10, "cancelled": 6, "expiring": 1, "invalid": 2, "deleted": 3, "deleted_first": 1, "doubled": 3}

    def step(self):
        kind = self.random.choices(list(self.KINDS), self.KINDS.values())[0]
        self.round.placed[kind] += 1
        getattr(self, kind)(next(self.numbers))

    # -- one of each kind

    def whole(self, order):
        file = self.upload(order, self.prompts())
        self.follow(order, self.create(order, file), file)

    def cancelled(self, order):
        file = self.upload(order, self.prompts(endless=0.05))
        batch = self.create(order, file)
        time.sleep(min(self.random.expovariate(1), 5))
        self.services.cancel(order, batch)
        self.follow(order, batch, file)

    def expiring(self, order):
        file = self.upload(order, self.prompts(endless=0.05) + ["[[fault:hang]]"])
        batch = self.create(order, file, completion_window="1m")
        self.round.later.append((order, batch))

    def invalid(self, order):
        # While an engine is down it may be the one that has the unknown model: the line waits, to its window's end.
        wrong = self.random.choice((
            "{", "[]", request("x", "river", method="GET"), request("x", "river", url="/v1/embeddings"),
            request(f"o{order}l0", "river"), request("x", "river").replace("simulated-model", "another-model")))
        file = self.upload(order, ["river"], wrong + "\n")
        if '"x"' in wrong:
            self.round.history.orders[order].append("x")
        batch = self.create(order, file, completion_window="1m")
        self.follow(order, batch, file)

    def deleted(self, order):
        file = self.upload(order, self.prompts())
        batch = self.create(order, file)
        time.sleep(self.random.choice((0, 0, 0.05, 0.5)))
        self.services.delete(order, file)
        self.follow(order, batch, None)

    def deleted_first(self, order):
        file = self.upload(order, ["river"])
        self.services.delete(order, file)
        call = self.services.create(order, file)
        assert call.was_refused, f"I-02 a batch was made of a deleted file: {call}"

    def doubled(self, order):
        """The same key many times at once, and once for something else."""
        file = self.upload(order, self.prompts())
        others = [threading.Thread(target=self.services.create, args=(order, file)) for _ in range(3)]
        for other in others:
            other.start()
        batch = self.create(order, file)
        for other in others:
            other.join()
        call = self.services.create(order, file, completion_window="48h")
        assert call.was_refused, f"I-03 a key was taken for another request: {call}"
        self.follow(order, batch, file)

    # -- parts

    def prompts(self, endless=0.0):
        count = 2_000 if self.random.random() < 0.02 else 1 + min(int(self.random.expovariate(1 / 40)), 400)
        prompts = [self.random.choice(WORDS) for _ in range(count)]
        for _ in range(self.random.choice((0, 0, 1, 3))):
            prompts[self.random.randrange(count)] = f"[[fault:{self.random.choice(FAULTS)}]]"
        if endless:
            for _ in range(self.random.randrange(3)):
                prompts[self.random.randrange(count)] = f"[[fault:{self.random.choice(ENDLESS)}]]"
        return prompts

    def upload(self, order, prompts, more=""):
        ids = [f"o{order}l{n}" for n in range(len(prompts))]
        self.round.history.orders[order] = ids
        self.round.prompts.update(zip(ids, prompts))
        return self.services.upload(order, "".join(request(*pair) + "\n" for pair in zip(ids, prompts)) + more)

    def create(self, order, file, **more):
        call = self.services.create(order, file, **more)
        assert call.was_acked, f"a create was refused: {call}"
        return call.body["id"]

    def follow(self, order, batch, file):
        deadline = time.monotonic() + ORDER_PATIENCE
        while (seen := self.services.get(order, batch))["status"] not in TERMINAL:
            if time.monotonic() > deadline or self.round.errors:
                self.round.later.append((order, batch))
                return
            time.sleep(self.random.uniform(0.1, 0.5))
        self.round.read_files(seen)
        if self.random.random() < 0.5:
            for unneeded in filter(None, (file, seen["output_file_id"], seen["error_file_id"])):
                self.services.delete(order, unneeded)


class Nemesis(Worker):
    """Breaks one thing after the other, and mends it."""

    ACTIONS = {
        "killing": ("kill_scheduler", "kill_scheduler", "kill_schedulers", "kill_gateway", "kill_engine",
                    "kill_engines", "pause_scheduler"),
        "rough": ("pause_scheduler", "kill_engine", "kill_engines", "pause_engine", "slow_engine"),
        "calm": (),
    }
    done = collections.Counter()

    def step(self):
        # An eighth of a second at a time, so that the end of the round is seen.
        pause_ends = time.monotonic() + self.random.uniform(1, 8)
        while time.monotonic() < pause_ends and not self.round.is_over:
            time.sleep(0.125)
        actions = self.ACTIONS[self.round.kind]
        if actions and not self.round.is_over:
            action = self.random.choice(actions)
            self.done[action] += 1
            getattr(self, action)()

    def kill_scheduler(self):
        self.round.history.crashes += 1
        self.random.choice(self.services.schedulers).replace(self.random.choice((0, 0, 1, 5)))

    def kill_schedulers(self):
        self.round.history.crashes += 2
        for scheduler in self.services.schedulers:
            scheduler.kill()
        time.sleep(self.random.choice((0, 2)))
        for scheduler in self.services.schedulers:
            scheduler.start()

    def kill_gateway(self):
        self.services.gateways[1].replace(self.random.choice((0, 2)))

    def kill_engine(self):
        self.round.history.crashes += 1
        self.random.choice(self.services.engines).replace(self.random.choice((0, 1, 4)))

    def kill_engines(self):
        self.round.history.crashes += 2
        for engine in self.services.engines:
            engine.kill()
        time.sleep(self.random.choice((1, 6)))
        for engine in self.services.engines:
            engine.start()

    def slow_engine(self):
        self.round.history.crashes += 1
        engine = self.random.choice(self.services.engines)
        engine.extra = ("--time-to-first-token", self.random.choice(("1ms", "300ms", "2s")))
        engine.replace()

    def pause_engine(self):
        self.pause(self.random.choice(self.services.engines), self.random.uniform(1, 6))

    def pause_scheduler(self):
        # Beyond the lease: another scheduler takes over while this one is still there.
        self.pause(self.random.choice(self.services.schedulers), LEASE_SECONDS * self.random.uniform(1.5, 2.5))

    def pause(self, slot, seconds):
        began = time.time()
        slot.program.pause()
        time.sleep(seconds)
        slot.pauses.append((began, time.time()))
        slot.program.go_on()


class Memory(threading.Thread):
    """Reads the memory of schedulers and gateways all the time."""

    def __init__(self, services):
        super().__init__(daemon=True)
        self.services = services

    def run(self):
        while True:
            for slot in self.services.schedulers + self.services.gateways:
                # It may have been killed meanwhile.
                with contextlib.suppress(OSError, TypeError):
                    self.services.history.memory.append(slot.memory())
            time.sleep(0.5)


# -- the soak


class Soak:
    def __init__(self, services):
        self.services = services
        self.expected = services.expected_answers()
        self.began = time.monotonic()
        # The last word on each batch of earlier rounds.
        self.ended = {}
        self.statuses, self.placed = collections.Counter(), collections.Counter()
        self.lines = self.runs = 0
        self.compared = collections.Counter()

    @property
    def minutes(self):
        return (time.monotonic() - self.began) / 60

    def run(self):
        """What was found."""
        Memory(self.services).start()
        number = 0
        while number < len(KINDS) or self.minutes + ROUND_SECONDS / 60 <= MINUTES:
            found = self.one(Round(number, self.services, self.expected))
            if found:
                return found
            number += 1
        return self.flatness(finished=True) + self.uncovered()

    def one(self, this):
        say(f"round {this.number}, {this.kind}")
        lost = self.services.lost_leases()
        workers = [Client(f"client-{n}", this) for n in range(CLIENTS)] + [Nemesis("nemesis", this)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            self.join(workers, 60)
            if not this.is_over:
                self.progress(this)
        self.mend()
        if this.errors:
            return this.errors
        self.wait_for_ends(this)
        # Leases that were lost beside the kills that are counted already.
        this.history.crashes += self.services.lost_leases() - lost
        self.collect(this)
        found = violations(this.history) + this.wrong
        if not found:
            self.clean()
            self.rest()
            found = self.flatness()
        self.report(this)
        return found

    def join(self, workers, seconds):
        deadline = time.monotonic() + seconds
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))

    def mend(self):
        """No more faults: everything runs, at its usual speed."""
        for slot in self.services.slots:
            slot.check()
        self.services.restore_engines()

    def wait_for_ends(self, this):
        deadline = time.monotonic() + END_PATIENCE
        for order, batch in this.later:
            while self.services.get(order, batch)["status"] not in TERMINAL and time.monotonic() < deadline:
                time.sleep(0.5)

    def collect(self, this):
        """Fills in what the store and the engines have."""
        services, seen = self.services, this.history
        batches = {batch["id"]: batch for batch in services.pages("/v1/batches")}
        for batch, body in self.ended.items():
            if batches.pop(batch, None) != body:
                this.wrong.append(f"I-05 {batch} of an earlier round changed: {body}")
        seen.batches = batches
        for batch in batches.values():
            this.read_files(batch)
        this.add_executions(services.executions())
        seen.files = {file["id"]: file for file in services.pages("/v1/files")}
        # What does not get there is told by the checker.
        with contextlib.suppress(AssertionError):
            wait_for(lambda: services.blobs() == set(seen.files), "the sweep")
        seen.blobs = services.blobs()

    def clean(self):
        """Deletes all files; then the disk must be empty but for records."""
        services = self.services
        services.history = History()
        for file in list(services.pages("/v1/files")):
            services.delete(0, file["id"])
        wait_for(lambda: not services.blobs(), "the end of all bytes (I-12)")
        wait_for(lambda: not services.job_directories(), "the end of all job files (I-12)")
        assert services.disk_bytes() < DISK_LIMIT, f"{services.disk_bytes()} bytes are on disk and nothing is stored"
        assert services.check_database() == "ok"

    def rest(self):
        """Reads what each process holds while nothing runs."""
        self.services.forget_connections()
        time.sleep(3)
        for slot in self.services.slots:
            slot.check()
            slot.read()

    def flatness(self, finished=False):
        found = []
        for slot in self.services.slots:
            for life in slot.lives if finished else slot.lives[-1:]:
                grown = growth(slot, life)
                found += grown or []
                if finished and grown is not None:
                    self.compared[slot.name] += 1
                    say(f"{slot.label}, {life[-1].age / 60:.0f} minutes: " + " | ".join(map(str, life)))
        return found

    def uncovered(self):
        """A soak in which something never happened shows nothing about it."""
        if MINUTES < 30:
            return []
        wanted = {
            "status": TERMINAL - set(self.statuses), "order": set(Client.KINDS) - set(self.placed),
            "fault": {a for actions in Nemesis.ACTIONS.values() for a in actions} - set(Nemesis.done),
            "long life": {"backfill-scheduler", "backfill-gateway"} - set(self.compared),
        }
        return [f"T-40 no {what} {sorted(names)} in the whole run" for what, names in wanted.items() if names]

    # -- what is said

    def progress(self, this):
        calls = this.history.calls
        unknown = sum(not call.was_acked and not call.was_refused for call in calls)
        say(f"  {self.minutes:.1f} min: {sum(this.placed.values())} orders, {len(calls)} calls ({unknown} without an "
            f"answer), {sum(Nemesis.done.values())} faults of the nemesis so far")

    def report(self, this):
        seen = this.history
        statuses = collections.Counter(batch["status"] for batch in seen.batches.values())
        self.ended.update(seen.batches)
        self.statuses += statuses
        self.placed += this.placed
        self.lines += sum(map(len, seen.lines.values()))
        self.runs += len(seen.executions)
        repeats = len(seen.executions) - len({(e.batch, e.line) for e in seen.executions})
        say(f"  {self.minutes:.1f} min: " + ", ".join(f"{n} {status}" for status, n in sorted(statuses.items()))
            + f"; {len(seen.executions)} runs of lines, {repeats} repeated in {seen.crashes} crashes (at most "
            f"{seen.crashes * IN_FLIGHT}); memory at most {max(seen.memory, default=0) / (1 << 20):.0f} MiB; "
            f"{self.services.disk_bytes() >> 10} KiB on disk")
        for slot in self.services.slots:
            if slot.lives[-1]:
                say(f"    {slot.label} {slot.lives[-1][-1]}")


def keep_evidence(services, found):
    shutil.rmtree(EVIDENCE, ignore_errors=True)
    shutil.copytree(services.path, EVIDENCE)
    (EVIDENCE / "history.pickle").write_bytes(pickle.dumps(services.history))
    (EVIDENCE / "found.txt").write_text("\n".join(found) + "\n")
    for slot in services.slots:
        if slot.program.runs:
            (EVIDENCE / f"{slot.label}.descriptors").write_text("\n".join(sorted(slot.descriptors())) + "\n")
    say(f"the store, the logs and the history are in {EVIDENCE}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    say(f"seed {SEED}, {MINUTES:g} minutes")
    random.seed(SEED)
    services = SoakServices()
    try:
        soak = Soak(services)
        try:
            found = soak.run()
        except Exception:
            found = [traceback.format_exc()]
        found = found or services.stop()
        for text in found[:SHOWN]:
            say(text)
        if found:
            keep_evidence(services, found)
        say(f"{len(soak.ended)} batches {dict(soak.statuses)}, orders {dict(soak.placed)}, {soak.lines} lines "
            f"delivered, {soak.runs} run, faults {dict(Nemesis.done)}, {len(found)} findings, seed {SEED}")
        return bool(found)
    finally:
        services.kill_all()


if __name__ == "__main__":
    sys.exit(main())
