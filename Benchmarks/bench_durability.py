"""What durability costs: syncing on against off, a restart of a full store, and reopening a long result log.

    PROGRAMS=DIR bench_durability.py NO_SYNC_LIBRARY [throughput|restart|reopening ...]
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import time

import bench
from services import Program, wait_for

ROUNDS = 7
ENDED = 500
WAITING = 499
SHORT_LINES = 10
# A slow engine leaves time to stop half way.
SLOW = "50ms"
RESTARTS = 9
WANTED_RATIO = 0.9
WANTED_RESTART_SECONDS = 1


def row(name, values, digits=2):
    values = sorted(values)
    median, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), values[0], values[-1]))
    print(f"| {name} | {median} | {least} to {most} |", flush=True)


@contextlib.contextmanager
def preloaded(library):
    """Programs that are started in this context sync nothing."""
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]


# -- syncing on against off


def throughput(path, library):
    """The same batch on two pairs, one after the other; which goes first alternates."""
    port = bench.free_port()
    nginx = bench.start_nginx(path, port)
    engine = f"{bench.MODEL}=http://127.0.0.1:{port}"
    bench.write_input(path / "large.jsonl", bench.LINES)
    try:
        with preloaded(library):
            pairs = {"off": bench.Pair(path, engine)}
        pairs["on"] = bench.Pair(path, engine)
        files = {name: pair.upload(path / "large.jsonl") for name, pair in pairs.items()}
        rates, cpu = {"on": [], "off": []}, {"on": [], "off": []}
        for number in range(ROUNDS + 1):
            for name in ("on", "off") if number % 2 else ("off", "on"):
                # What the other one left to be written must not be written while this one is measured.
                os.sync()
                seconds, cpu_seconds, _ = pairs[name].run(files[name])
                if number:
                    rates[name].append(bench.LINES / seconds)
                    cpu[name].append(1e6 * cpu_seconds / bench.LINES)
        for pair in pairs.values():
            pair.stop()
    finally:
        nginx.terminate()
        nginx.wait()
    skipped = re.findall(r"^syncs skipped: (\d+)$", (pairs["off"].path / "scheduler.log").read_text(), re.MULTILINE)
    assert skipped and int(skipped[0]) > ROUNDS, "the library was not used"
    print(f"\n{bench.LINES} lines of 1 KiB, concurrency {bench.CONCURRENCY}, {ROUNDS} interleaved rounds after a "
          f"warm-up; {int(skipped[0]) / (ROUNDS + 1):.0f} syncs a run")
    for name in rates:
        row(f"syncing {name}, lines/s", rates[name], digits=0)
        row(f"syncing {name}, scheduler CPU us/line", cpu[name], digits=1)
    row("on / off, round by round", [on / off for on, off in zip(rates["on"], rates["off"])], digits=3)
    ratio = statistics.median(rates["on"]) / statistics.median(rates["off"])
    print(f"| on / off, of the medians (at least {WANTED_RATIO}) | {ratio:.3f} | |")
    return ratio >= WANTED_RATIO


# -- restarts


class Engine:
    """A simulated engine and its ledger."""

    def __init__(self, path, *arguments):
        self.ledger = path / "witness.jsonl"
        self.program = Program("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--witness", self.ledger,
                               *arguments, log=path / "engine.log")
        self.url = f"http://{self.program.address}"

    def entries(self):
        """(request id, start) of what ran since the ledger was emptied."""
        for line in self.ledger.read_text().splitlines():
            entry = json.loads(line)
            yield entry["id"] or "", entry["start"]

    def forget(self):
        os.truncate(self.ledger, 0)


def create(pair, file):
    return pair.client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h").id


def create_many(pair, file, count):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: create(pair, file), range(count)))


def completed(pair, batch):
    return pair.client.batches.retrieve(batch).request_counts.completed


def kill(pair):
    """kill -9 of the scheduler; the data directory is what is left."""
    pair.scheduler.kill()
    pair.gateway.terminate()
    return pair.path / "data"


def prepare(path, engine):
    """The data directory of a scheduler that was killed with many batches ended, many waiting, one half way."""
    bench.write_input(path / "short.jsonl", SHORT_LINES)
    bench.write_input(path / "large.jsonl", bench.LINES)
    pair = bench.Pair(path, engine.url)
    short, large = pair.upload(path / "short.jsonl"), pair.upload(path / "large.jsonl")
    ended = create_many(pair, short, ENDED)
    for batch in ended:
        wait_for(lambda: pair.client.batches.retrieve(batch).status == "completed", f"the end of {batch}", 120)
    half = create(pair, large)
    done = wait_for(lambda: (count := completed(pair, half)) >= bench.LINES / 2 and count, "half of it", 120)
    # Nothing ends any more, so that what is created now waits.
    engine.program.pause()
    waiting = create_many(pair, short, WAITING)
    time.sleep(2)
    data = kill(pair)
    engine.program.go_on()
    return data, half, done, len(ended) + len(waiting) + 1


class Restart:
    """One start over a copy of a data directory."""

    def __init__(self, path, data, engine):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=path))
        shutil.copytree(data, self.path / "data")
        os.sync()
        # What the engine still had from the killed one has ended.
        time.sleep(1)
        engine.forget()
        self.engine = engine
        self.began = time.time()
        self.program = Program(
            "backfill-scheduler", "--listen", "127.0.0.1:0", "--data", self.path / "data", "--engine", engine.url,
            "--engine-concurrency", bench.CONCURRENCY, log=self.path / "scheduler.log")
        self.listening = time.time() - self.began

    def first_line(self, batch=None):
        """Seconds from exec until a line, or one of a batch, began at the engine; None as long as there is none."""
        prefix = batch.replace("batch_", "batch_req_") if batch else "batch_req_"
        starts = [start for name, start in self.engine.entries() if name.startswith(prefix)]
        return min(starts) - self.began if starts else None

    def end(self):
        self.program.kill()
        shutil.rmtree(self.path)


def restart(path, _):
    engine = Engine(path, "--time-to-first-token", SLOW)
    listening, first, first_of_half = [], [], []
    try:
        data, half, done, batches = prepare(path, engine)
        for number in range(RESTARTS + 1):
            run = Restart(path, data, engine)
            of_half = wait_for(lambda: run.first_line(half), "a line of the batch that was half way")
            if number:
                listening.append(run.listening)
                first.append(run.first_line())
                first_of_half.append(of_half)
            run.end()
    finally:
        engine.program.kill()
    print(f"\nkill -9 with {batches} batches: {ENDED} ended, {WAITING} waiting, one with {done} of {bench.LINES} "
          f"lines done; {RESTARTS} restarts after a warm-up, from exec")
    row("listening, s", listening, digits=3)
    row("first line at the engine, s", first, digits=3)
    row("first line of the batch that was half way, s", first_of_half, digits=3)
    print(f"| longest, at most {WANTED_RESTART_SECONDS} s | {max(first_of_half):.3f} | |")
    return max(first_of_half) <= WANTED_RESTART_SECONDS


# -- a long result log


def killed_with_log(path, engine, name, is_whole):
    """The data directory of a scheduler that was killed when a batch had all its lines but the last, or none."""
    (path / name).mkdir()
    file = path / f"{name}.jsonl"
    bench.write_input(file, bench.LINES - 1)
    with open(file, "a") as text:
        text.write(json.dumps({"custom_id": "last", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": bench.MODEL, "messages": [{"role": "user", "content": "[[fault:hang]]"}]}}) + "\n")
    pair = bench.Pair(path / name, engine.url)
    uploaded = pair.upload(file)
    if not is_whole:
        engine.program.pause()
    batch = create(pair, uploaded)
    if is_whole:
        wait_for(lambda: completed(pair, batch) == bench.LINES - 1, "all but one", 120)
    else:
        wait_for(lambda: pair.client.batches.retrieve(batch).status == "in_progress", "the claim", 60)
    time.sleep(1)
    data = kill(pair)
    engine.program.go_on()
    return data


def read_once(log):
    """Seconds for a plain sequential read."""
    began = time.perf_counter()
    with open(log, "rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass
    return time.perf_counter() - began


def reopening(path, _):
    engine = Engine(path)
    try:
        whole = killed_with_log(path, engine, "whole", True)
        none = killed_with_log(path, engine, "none", False)
        log = next((whole / "jobs").glob("*/*.log"))
        seconds = {whole: [], none: []}
        plain = []
        for number in range(RESTARTS + 1):
            for data in (whole, none):
                run = Restart(path, data, engine)
                time.sleep(1.5)
                # The line that hangs is in the ledger when its connection has closed.
                run.end()
                began = wait_for(run.first_line, "the first line")
                if number:
                    seconds[data].append(began)
            plain.append(read_once(log))
    finally:
        engine.program.kill()
    size = log.stat().st_size
    print(f"\nResult log of {bench.LINES - 1} lines, {size / 1e6:.1f} MB, in the page cache; {RESTARTS} restarts each")
    row("first line after exec, with the log, ms", [1000 * s for s in seconds[whole]], digits=1)
    row("first line after exec, without, ms", [1000 * s for s in seconds[none]], digits=1)
    row("plain sequential read, ms", [1000 * s for s in plain[1:]], digits=1)
    cost = statistics.median(seconds[whole]) - statistics.median(seconds[none])
    print(f"| reopening (difference of the medians), ms; against the read | {1000 * cost:.1f} | "
          f"{cost / statistics.median(plain[1:]):.1f} |")
    return True


PARTS = {"throughput": throughput, "restart": restart, "reopening": reopening}


def main():
    library, parts = sys.argv[1], sys.argv[2:] or PARTS
    missed = []
    for name in parts:
        with tempfile.TemporaryDirectory(prefix="backfill-bench-") as directory:
            if not PARTS[name](pathlib.Path(directory), pathlib.Path(library).resolve()):
                missed.append(name)
    if missed:
        print(f"\nmissed: {', '.join(missed)}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
