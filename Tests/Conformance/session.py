"""Objects that several checks look at, each made once."""

import functools
import json
import time

from outcomes import Failed, NotApplicable, expect
from target import jsonl

TERMINAL = ("completed", "failed", "expired", "cancelled")
HANG = "[[fault:hang]]"


def shared(make):
    """Makes a value once; a failure is kept as well, so that it costs its time once."""
    name = "_" + make.__name__

    @functools.wraps(make)
    def get(self):
        if not hasattr(self, name):
            try:
                setattr(self, name, (make(self), None))
            except Exception as error:
                setattr(self, name, (None, error))
        value, error = getattr(self, name)
        if isinstance(error, NotApplicable):
            raise error
        if error is not None:
            raise Failed(f"{make.__name__.replace('_', ' ')}: {error}") from error
        return value

    return property(get)


class Session:
    """What one run shares; a batch is waited for as long as `patience` says, in seconds."""

    def __init__(self, target, patience=45):
        self.target, self.patience = target, patience

    def wait(self, batch_id, statuses=TERMINAL, history=None):
        """Polls a batch until it has one of the statuses; `history` gets each answer."""
        deadline = time.monotonic() + self.patience
        while True:
            batch = self.target.batch(batch_id)
            if history is not None:
                history.append(batch)
            if batch["status"] in statuses:
                return batch
            expect(batch["status"] not in TERMINAL, f"the batch ended as {batch['status']}: {batch.get('errors')}")
            expect(time.monotonic() < deadline, f"still {batch['status']} after {self.patience} s")
            time.sleep(0.02)

    def run(self, content, **more):
        """Uploads, creates, waits for the end; the batch."""
        return self.wait(self.target.create(self.target.upload(content).id, **more).id)

    def failed_codes(self, content, **more):
        """(code, line) of each error of a batch that must fail."""
        batch = self.run(content, **more)
        expect(batch["status"] == "failed", f"the batch is {batch['status']}")
        return [(error["code"], error["line"]) for error in batch["errors"]["data"]]

    # -- Batches

    METADATA = {"team": "red", "unicode": "Füße 🚀", "empty": ""}
    IDS = [f"id-{n}" for n in range(40)]
    REFUSED = ("id-7", "id-23")

    @shared
    def input_file(self):
        """A file of 40 lines, two of which the engine refuses."""
        lines = [self.target.refused(i) if i in self.REFUSED else self.target.line(i, f"question {i}", max_tokens=5)
                 for i in self.IDS]
        return self.target.upload(jsonl(lines), "forty.jsonl")

    @shared
    def created(self):
        """The answer to a create."""
        answer = self.target.post_batch({
            "input_file_id": self.input_file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h",
            "metadata": self.METADATA})
        expect(answer.status_code in (200, 201), f"{answer.status_code} {answer.text[:200]}")
        return answer

    @shared
    def seen(self):
        """All that was answered about that batch from its create to its end."""
        history = [self.created.json()]
        self.wait(history[0]["id"], history=history)
        return history

    @property
    def completed(self):
        """That batch at its end."""
        return self.seen[-1]

    @shared
    def output(self):
        return self.target.lines(self.completed["output_file_id"])

    @shared
    def errors(self):
        return self.target.lines(self.completed["error_file_id"])

    def needs_refusals(self):
        """For checks of lines that the engine refuses; not every engine can be made to refuse one."""
        if not self.target.simulated and counts(self.completed)["failed"] == 0:
            raise NotApplicable("this engine refuses nothing")

    def custom_ids(self, batch):
        """Ids of the lines of both files of a batch. That a key is left out, and not null, is A1-03's to say."""
        return [line["custom_id"] for key in ("output_file_id", "error_file_id")
                for line in self.target.lines(batch.get(key))]

    @shared
    def all_good(self):
        """A batch without failures."""
        return self.run(jsonl([self.target.line("a", max_tokens=3), self.target.line("b", max_tokens=3)]))

    @shared
    def all_refused(self):
        """A batch every line of which the engine refuses."""
        return self.run(jsonl([self.target.refused(f"r{n}") for n in range(3)]))

    @shared
    def invalid(self):
        """A batch over a file with bad lines, and all that was answered about it."""
        content = jsonl([self.target.line("a")]) + b"not json\n[1]\n" + jsonl([self.target.line("a")])
        history = [self.target.batch(self.target.create(self.target.upload(content).id).id)]
        self.wait(history[0]["id"], history=history)
        return history

    @shared
    def cancelled(self):
        """A batch cancelled with some answers in and some requests hanging: the cancel's answers and the history."""
        if not self.target.simulated:
            raise NotApplicable("needs an engine that can be made to hang")
        lines = [self.target.line(f"c{n}", f"quick {n}", max_tokens=1) for n in range(3)]
        lines += [self.target.line(f"h{n}", HANG + str(n)) for n in range(3)]
        batch = self.target.create(self.target.upload(jsonl(lines)).id).id
        history = []
        deadline = time.monotonic() + self.patience
        while not history or counts(history[-1])["completed"] != 3:
            history.append(self.target.batch(batch))
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        first = self.target.http.post(f"/v1/batches/{batch}/cancel")
        again = self.target.http.post(f"/v1/batches/{batch}/cancel")
        expect(first.status_code == 200, f"cancel -> {first.status_code} {first.text[:200]}")
        history.append(first.json())
        try:
            self.wait(batch, history=history)
        except Failed as error:
            if self.target.pair is None and history[-1]["status"] == "cancelling":
                raise NotApplicable(f"{error}, of ten minutes that are allowed") from None
            raise
        return first, again, history

    # -- Files

    @shared
    def other_tenant(self):
        """A client of somebody else."""
        if self.target.other_key is None:
            raise NotApplicable("needs the key of a second tenant (OTHER_API_KEY)")
        return self.target.plain_client(self.target.other_key)

    # -- Online requests

    @shared
    def chat(self):
        """The answer to a plain chat completion."""
        answer = self.target.http.post("/v1/chat/completions", json=self.target.question("Say hello", max_tokens=8))
        expect(answer.status_code == 200, f"POST /v1/chat/completions -> {answer.status_code} {answer.text[:200]}")
        return answer

    @shared
    def streamed(self):
        """A streamed chat completion: headers and the raw text."""
        return self.stream(self.target.question("Say hello", max_tokens=8, stream=True))

    @shared
    def streamed_usage(self):
        """The same with the usage at its end."""
        return self.stream(self.target.question("Say hello", max_tokens=8, stream=True,
                                                stream_options={"include_usage": True}))

    def stream(self, body):
        with self.target.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            text = answer.read().decode()
        expect(answer.status_code == 200, f"POST /v1/chat/completions -> {answer.status_code} {text[:200]}")
        return answer.headers, text


def counts(batch):
    """A batch's request_counts; zeros when it has none."""
    return {"total": 0, "completed": 0, "failed": 0, **(batch.get("request_counts") or {})}


def events(text):
    """The data of each event of a stream, comments left out."""
    found = []
    for event in text.replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        if data:
            found.append("\n".join(data))
    return found


def chunks(text):
    """The JSON of each event before `[DONE]`."""
    return [json.loads(data) for data in events(text) if data != "[DONE]"]

