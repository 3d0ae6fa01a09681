"""Services whose calls are recorded, and a story that uses every state of a batch."""

import contextlib
import json
import pathlib
import re
import sqlite3
import threading
import time

import httpx

from history import TERMINAL, Call, Execution, History
from services import DidNotStart, Services, wait_for

PATIENCE = 60


class RecordedServices(Services):
    """The services, a client that keeps at it until it is answered, and a scheduler that is started when it is gone."""

    def __init__(self, **options):
        super().__init__(**options)
        self.history = History()
        self.http = httpx.Client(timeout=20)
        self.orders = 0
        self.numbering = threading.Lock()
        self.fail_point = None

    # -- the scheduler

    def revive(self):
        """Starts the scheduler if it is gone. The next fail point of `restart_at` goes with it."""
        while not self.scheduler.runs:
            self.history.crashes += 1
            self.restart_at(self.fail_point)

    def restart_at(self, *points):
        """Starts the scheduler at its address with the first fail point; the others wait for the next starts."""
        point, self.fail_point = (*points, None, None)[:2]
        environment = {"BACKFILL_FAIL_POINT": point} if point else {}
        try:
            self.scheduler = self.start_scheduler(listen=self.scheduler.address, environment=environment)
        except DidNotStart:
            # It died on the way; `revive` goes on.
            if not point:
                raise

    def fail_points_reached(self):
        log = (self.path / "backfill-scheduler.log").read_text()
        return set(re.findall(r"^fail point (\S+)$", log, re.MULTILINE))

    # -- calls

    def call(self, operation, order, method, path, **options):
        """Calls until there is an answer that is no fault of the service's."""
        deadline = time.monotonic() + PATIENCE
        while True:
            began = time.time()
            try:
                answer = self.http.request(method, self.url + path, **options)
                status, body = answer.status_code, answer.json()
            except (httpx.TransportError, json.JSONDecodeError):
                status, body = None, None
            call = Call(operation, order, began, time.time(), status, body)
            self.history.calls.append(call)
            if call.was_acked or call.was_refused:
                return call
            assert time.monotonic() < deadline, f"{operation} got no answer but {status} {body}"
            self.revive()
            time.sleep(0.01)

    def upload(self, order, content):
        files = {"file": ("input.jsonl", content)}
        call = self.call("upload", order, "POST", "/v1/files", data={"purpose": "batch"}, files=files)
        return call.body["id"]

    def upload_in_parts(self, order, content):
        """The same in two parts (A8)."""
        body = {"filename": "input.jsonl", "purpose": "batch", "bytes": len(content), "mime_type": "application/jsonl"}
        upload = self.call("begin upload", order, "POST", "/v1/uploads", json=body).body["id"]
        half = len(content) // 2
        parts = [
            self.call("part", order, "POST", f"/v1/uploads/{upload}/parts", files={"data": piece}).body["id"]
            for piece in (content[:half], content[half:])
        ]
        path = f"/v1/uploads/{upload}/complete"
        call = self.call("complete upload", order, "POST", path, json={"part_ids": parts})
        assert call.was_acked, f"parts that were acked do not make the file: {call.body}"
        self.history.calls.append(Call("upload", order, call.began, call.ended, call.status, call.body["file"]))
        return call.body["file"]["id"]

    def create(self, order, file, **more):
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
                "metadata": {"order": str(order)}, **more}
        headers = {"idempotency-key": f"order-{order}"}
        return self.call("create", order, "POST", "/v1/batches", json=body, headers=headers)

    def get(self, order, batch):
        return self.call("get", order, "GET", f"/v1/batches/{batch}").body

    def cancel(self, order, batch):
        return self.call("cancel", order, "POST", f"/v1/batches/{batch}/cancel")

    def delete(self, order, file):
        return self.call("delete", order, "DELETE", f"/v1/files/{file}")

    def ended(self, order, batch):
        return wait_for(lambda: (b := self.get(order, batch))["status"] in TERMINAL and b, f"the end of {batch}")

    # -- orders

    def order(self, prompts, valid=True, in_parts=False, **more):
        """Uploads and creates; gives the order's number, its file and its batch. `more` goes to the create."""
        with self.numbering:
            self.orders += 1
            number = self.orders
        ids = [f"o{number}l{n}" for n in range(len(prompts))]
        self.history.orders[number] = ids
        lines = [
            json.dumps({"custom_id": i, "method": "POST", "url": "/v1/chat/completions", "body": {
                "model": "simulated-model", "messages": [{"role": "user", "content": prompt}]}}) + "\n"
            for i, prompt in zip(ids, prompts)
        ]
        upload = self.upload_in_parts if in_parts else self.upload
        file = upload(number, "".join(lines) if valid else "".join(lines) + "{\n")
        return number, file, self.create(number, file, **more).body["id"]

    def story(self, with_hanging_engine=False):
        """One batch of an upload in parts that completes, one that is cancelled, one whose input is invalid, a delete."""
        whole, file, completes = self.order(["Hello"] * 6, in_parts=True)
        partial, _, cancelled = self.order(["Hello"] * 3 + ["[[fault:hang]]"] * 3 * with_hanging_engine)
        if with_hanging_engine:
            wait_for(lambda: self.get(partial, cancelled)["request_counts"]["completed"] == 3, "three answers")
        self.cancel(partial, cancelled)
        invalid, _, fails = self.order(["Hello"], valid=False)
        self.ended(whole, completes)
        self.ended(partial, cancelled)
        assert self.ended(invalid, fails)["status"] == "failed"
        self.delete(whole, file)

    # -- the end

    def pages(self, path):
        after = None
        while True:
            query = f"?limit=100&after={after}" if after else "?limit=100"
            page = self.call("list", 0, "GET", path + query).body
            yield from page["data"]
            if not page["has_more"]:
                return
            after = page["last_id"]

    def content(self, file):
        """A file whole. Its connection to the scheduler may be one that a fault has left dead, which takes a try."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.http.get(f"{self.url}/v1/files/{file}/content")
                if answer.status_code == 200:
                    return answer.text
                seen = f"{answer.status_code} {answer.text}"
                assert answer.status_code >= 500, f"{file}: {seen}"
            except httpx.TransportError as error:
                seen = error
            assert time.monotonic() < deadline, f"{file}: {seen}"
            time.sleep(0.01)

    def collect(self, with_blobs=False):
        """Fills in what the store and the engine have."""
        history = self.history
        history.batches = {b["id"]: b for b in self.pages("/v1/batches")}
        history.files = {f["id"]: f for f in self.pages("/v1/files")}
        for batch in history.batches.values():
            for file in filter(None, (batch["output_file_id"], batch["error_file_id"])):
                if file not in history.lines:
                    history.lines[file] = [json.loads(line)["custom_id"] for line in self.content(file).splitlines()]
        history.executions = [Execution(*execution) for execution in executions(self.witness)]
        # A machine that is busy may keep a scheduler from renewing its lease, which then stops what it does.
        history.lost_leases = (self.path / "backfill-scheduler.log").read_text().count("the lease is lost")
        if with_blobs:
            wait_for(lambda: self.blobs() == set(history.files), "the sweep", PATIENCE) if history.files else None
            history.blobs = self.blobs()
        return history

    def blobs(self):
        return {p.name.split(".")[0] for p in (self.path / "data" / "blobs").glob("*/*")}

    def blob(self, key):
        """Where the bytes are that a key names: a file's id and what may follow it."""
        return self.path / "data" / "blobs" / key.split(".")[0][-2:] / key

    def sweep(self):
        """Waits for a whole pass of the sweeper, which removes last what a dead scheduler has staged."""
        staged = self.path / "data" / "staging" / "scheduler-0000000000000000"
        # The first one may go with a pass that is under way.
        for _ in range(2):
            staged.mkdir(parents=True)
            wait_for(lambda: not staged.exists(), "the sweep of staging")

    def check_database(self):
        """SQLite's own check, on a copy of what is there."""
        with contextlib.closing(sqlite3.connect(self.path / "data" / "backfill.sqlite")) as database:
            return database.execute("PRAGMA integrity_check").fetchone()[0]


def executions(witness):
    """(batch, line, start) of each request that ran."""
    if not pathlib.Path(witness).exists():
        return
    for text in pathlib.Path(witness).read_text().splitlines():
        entry = json.loads(text)
        match = re.fullmatch(r"batch_req_([0-9a-f]{32})([0-9a-f]{8})", entry["id"] or "")
        if match:
            yield f"batch_{match[1]}", int(match[2], 16), entry["start"]
