"""What the named scenarios of Tests/ratchet.txt are told with: services of a test's own, and a look into the store."""

import contextlib
import json
import re
import sqlite3
import time
import unittest

import httpx

from history import TERMINAL, violations
from recorded import RecordedServices
from services import wait_for

CONCURRENCY = 8


class Scenario(unittest.TestCase):
    """Services that sweep often; every test ends with a look at all promises."""

    engine = ()
    scheduler = ("--engine-concurrency", CONCURRENCY, "--lease", "2s", "--sweep-interval", "1s")

    def setUp(self):
        self.services = RecordedServices(engine=self.engine, scheduler=self.scheduler)
        self.addCleanup(self.services.stop)
        self.services.history.in_flight = CONCURRENCY

    # -- the scheduler

    def restart(self, *points):
        """Kills it and starts it at its address, to die at the first fail point; the others are for its next starts."""
        self.services.scheduler.kill()
        self.services.restart_at(*points)

    def dies(self, action=lambda: None):
        """Waits for the fail point, doing again what leads to it: the gateway may not have found the scheduler yet."""
        def is_dead():
            answer = action() if self.services.scheduler.runs else None
            self.assertIsNone(answer, "an answer came, and no death")
            return not self.services.scheduler.runs

        wait_for(is_dead, "the death at the fail point")

    def log(self):
        return (self.services.path / "backfill-scheduler.log").read_text()

    # -- batches

    def end(self, order, batch):
        return self.services.ended(order, batch)

    def counts(self, order, batch):
        return self.services.get(order, batch)["request_counts"]

    def post(self, gateway, path, **options):
        """A call that is tried once; gives its answer unless it was not served."""
        with contextlib.suppress(httpx.TransportError):
            answer = self.services.http.post(f"http://{gateway.address}{path}", **options)
            return answer if answer.status_code < 500 else None

    def post_batch(self, file, **headers):
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
                "metadata": {"order": "1"}}
        return self.post(self.services.gateway, "/v1/batches", json=body, headers=headers)

    def upload(self, prompts):
        """Uploads an order's lines without a batch for them; gives the order's number and the file."""
        services = self.services
        services.orders += 1
        ids = [f"o{services.orders}l{n}" for n in range(len(prompts))]
        services.history.orders[services.orders] = ids
        lines = [json.dumps({"custom_id": i, "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "simulated-model", "messages": [{"role": "user", "content": p}]}}) for i, p in zip(ids, prompts)]
        return services.orders, services.upload(services.orders, "\n".join(lines))

    def executions(self, batch=None):
        """Requests that ran to their end at the engine."""
        if not self.services.witness.exists():
            return 0
        prefix = batch.replace("batch_", "batch_req_") if batch else ""
        lines = self.services.witness.read_text().splitlines()
        return sum((json.loads(line)["id"] or "").startswith(prefix) for line in lines)

    # -- the store

    def database(self):
        return contextlib.closing(sqlite3.connect(self.services.path / "data" / "backfill.sqlite", timeout=20))

    def stored(self):
        """The batches' records as they are on disk."""
        with self.database() as database:
            rows = database.execute("SELECT payload FROM record WHERE kind = 'batch' ORDER BY id").fetchall()
        return [json.loads(payload)["object"] for payload, in rows]

    def edit(self, batch, change):
        """Changes a batch's record, as time or damage would while no scheduler runs."""
        with self.database() as database:
            key = "kind = 'batch' AND id = ?"
            payload, = database.execute(f"SELECT payload FROM record WHERE {key}", (batch,)).fetchone()
            database.execute(f"UPDATE record SET payload = ? WHERE {key}", (change(payload), batch))
            database.commit()

    def end_window(self, batch, seconds_from_now=-1):
        """Moves the end of its window."""
        def change(payload):
            record = json.loads(payload)
            record["object"]["times"]["expiresAt"] = int(time.time()) + seconds_from_now
            return json.dumps(record).encode()

        self.edit(batch, change)
        # The edit is no broken promise.
        for call in self.services.history.calls:
            if call.was_acked and call.body["id"] == batch:
                call.body["expires_at"] = None

    def output_epochs(self):
        """Epochs of the owners whose outputs are on disk."""
        names = [p.name.split(".") for p in (self.services.path / "data" / "blobs").glob("*/*")]
        return {part for parts in names for part in parts[1:] if re.fullmatch(r"e\d+", part)}

    # -- the end

    def check_promises(self, with_blobs=False):
        """Everything ended, and no promise was broken on the way."""
        for batch in list(self.services.pages("/v1/batches")):
            if batch["status"] not in TERMINAL:
                self.end(int(batch["metadata"]["order"]), batch["id"])
        self.assertEqual(violations(self.services.collect(with_blobs=with_blobs)), [])
