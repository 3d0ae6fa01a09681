"""T-02: at every sync of a run, power fails; the scheduler starts on what was synced, and nothing acked is lost.

SQLite is under test as well: its files are recorded like all others.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import unittest

from history import History, violations
from power_loss import Disk, records
from preload import library
from recorded import RecordedServices, executions

CONCURRENCY = 8
WORKERS = 2
# 1: every image; the ratio for a first look.
STRIDE = int(os.environ.get("POWER_LOSS_STRIDE", "1"))


class RecordedRun(RecordedServices):
    """The story, with its files recorded and the answers noted between them."""

    def __init__(self, library):
        self.library = library
        super().__init__(scheduler=("--engine-concurrency", CONCURRENCY, "--lease", "2s", "--sweep-interval", "1s"))

    def start_scheduler(self, *, listen="127.0.0.1:0", environment=None):
        self.trace = self.path / "trace"
        recording = {"LD_PRELOAD": str(self.library), "RECORD_ROOT": str(self.path / "data"),
                     "RECORD_TRACE": str(self.trace)}
        return super().start_scheduler(listen=listen, environment=recording)

    def call(self, *arguments, **options):
        call = super().call(*arguments, **options)
        with open(self.trace, "ab") as trace:
            trace.write(json.dumps({"op": "answer", "calls": len(self.history.calls)}).encode() + b"\n")
        return call


def known(calls, count):
    """The calls that were answered when power failed; what the one under way did is not known."""
    return calls[:count] + [dataclasses.replace(call, status=None, body=None) for call in calls[count:count + 1]]


class Image(RecordedServices):
    """Services that look at one image after the other."""

    def __init__(self):
        super().__init__(scheduler=("--engine-concurrency", CONCURRENCY, "--lease", "2s", "--sweep-interval", "1s"))
        self.scheduler.kill()

    def check(self, image, before, cancels):
        """Starts on an image; `before` is what was known when power failed, `cancels` the orders that do not end alone."""
        if self.scheduler.runs:
            self.scheduler.kill()
        data = self.path / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.move(image, data)
        ran = len(list(executions(self.witness)))
        self.history = History(orders=before.orders, calls=before.calls, in_flight=CONCURRENCY, crashes=1)
        self.restart_at()
        for call in list(before.calls):
            if call.operation == "create" and call.was_acked:
                again = self.create(call.order, call.body["input_file_id"]).body
                assert again["id"] == call.body["id"], f"I-03 {call.body['id']} became {again['id']}"
        for batch in list(self.pages("/v1/batches")):
            order = int(batch["metadata"]["order"])
            if order in cancels:
                self.cancel(order, batch["id"])
            self.ended(order, batch["id"])
        self.collect()
        self.history.executions = self.history.executions[ran:]
        found = violations(self.history)
        if self.check_database() != "ok":
            found.append("SQLite: " + self.check_database())
        return found


class PowerLoss(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="backfill-power-")
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)
        self.library = library("recorder", self.addCleanup)

    def test_T02_I01_what_was_acked_outlives_a_loss_of_power_at_every_sync(self):
        run = RecordedRun(self.library)
        self.addCleanup(run.stop)
        run.story(with_hanging_engine=True)
        run.scheduler.terminate()
        trace = list(records(run.trace))
        syncs = sum(record["op"] == "sync" for record, _ in trace)
        self.assertGreater(syncs, 30, "the recorder sees too little")
        found, errors = [], []
        workers = [threading.Thread(target=self.check, args=(run, trace, n, found, errors)) for n in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if errors:
            raise errors[0]
        self.assertEqual(found, [])
        print(f"{syncs} losses of power, {len(trace)} recorded operations")

    def check(self, run, trace, worker, found, errors):
        """Every image whose number is this worker's."""
        services = Image()
        cancels = {call.order for call in run.history.of("cancel")}
        try:
            disk, calls, number = Disk(str(run.path / "data")), 0, 0
            for record, data in trace:
                if record["op"] == "answer":
                    calls = record["calls"]
                elif disk.apply(record, data):
                    number += 1
                    if number % (WORKERS * STRIDE) != worker:
                        continue
                    image = self.path / f"image-{worker}"
                    disk.write_image(image)
                    before = History(orders=run.history.orders, calls=known(run.history.calls, calls))
                    where = f"power lost after sync {number} ({record['path'].removeprefix(disk.root)}), {calls} calls"
                    try:
                        found += [f"{where}: {text}" for text in services.check(image, before, cancels)]
                    except AssertionError as error:
                        found.append(f"{where}: {error}")
        except BaseException as error:
            errors.append(error)
        finally:
            services.stop()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
