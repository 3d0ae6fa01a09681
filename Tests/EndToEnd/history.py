"""What clients, engines and the final store saw of a run, and the check of the promises I-01 to I-13 on it.

A history is plain data, so that a test can plant a violation in it. Times are Unix seconds.
"""

import collections
import dataclasses

TERMINAL = {"completed", "failed", "expired", "cancelled"}
TIMES = (
    "created_at", "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at",
    "cancelling_at", "cancelled_at",
)
CANCEL_TARGET = 5
CANCEL_TICK = 1
DEADLINE_BOUND = 60


@dataclasses.dataclass
class Call:
    """One API call; `status` is None when no answer came."""

    operation: str
    order: int
    began: float
    ended: float
    status: int | None
    body: dict | None = None

    @property
    def was_acked(self):
        return self.status is not None and 200 <= self.status < 300

    @property
    def was_refused(self):
        return self.status is not None and 400 <= self.status < 500 and self.status != 429


@dataclasses.dataclass
class Execution:
    """One line of an engine's witness ledger."""

    batch: str
    line: int
    began: float


@dataclasses.dataclass
class History:
    # Line ids (`custom_id`) by order.
    orders: dict = dataclasses.field(default_factory=dict)
    calls: list = dataclasses.field(default_factory=list)
    executions: list = dataclasses.field(default_factory=list)
    # The store at the end: batches and files by id, their lines' ids in order, blobs without what goes with them.
    batches: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)
    lines: dict = dataclasses.field(default_factory=dict)
    blobs: set | None = None
    # What may run again after a crash or the loss of a lease, and how much memory a scheduler may take and took.
    crashes: int = 0
    lost_leases: int = 0
    in_flight: int = 0
    memory_limit: int | None = None
    memory: list = dataclasses.field(default_factory=list)

    def of(self, operation, order=None):
        return [c for c in self.calls if c.operation == operation and order in (None, c.order)]


def violations(history):
    """All broken promises, as text that begins with the promise's id."""
    found = []
    for check in (
        acked_is_durable, refused_is_absent, one_batch_an_order, one_outcome_a_line, terminal_is_for_ever,
        counts_conserve, re_execution_is_bounded, cancel_is_bounded, deadline_is_bounded, everything_ends, no_orphans,
        memory_is_bounded,
    ):
        found += check(history)
    return found


def batches_of(history, order):
    return [b for b in history.batches.values() if (b["metadata"] or {}).get("order") == str(order)]


def acked_is_durable(history):
    for call in history.calls:
        if not call.was_acked:
            continue
        if call.operation == "create" and call.body["id"] not in history.batches:
            yield f"I-01 the batch {call.body['id']} of order {call.order} was acked and is gone"
        if call.operation == "upload" and call.body["id"] not in history.files:
            deletes = history.of("delete", call.order)
            if not deletes:
                yield f"I-01 the file {call.body['id']} of order {call.order} was acked and is gone"
        if call.operation == "delete" and call.body["id"] in history.files:
            yield f"I-01 the file {call.body['id']} was deleted and is there"
        if call.operation == "cancel":
            end = history.batches.get(call.body["id"], {}).get("status")
            if end not in ("cancelled", None):
                yield f"I-01 the cancel of {call.body['id']} was acked and it ended {end}"


def refused_is_absent(history):
    for order in history.orders:
        creates = history.of("create", order)
        if creates and all(call.was_refused for call in creates) and batches_of(history, order):
            yield f"I-02 order {order} was refused and has a batch"
    known = set(history.batches)
    for batch in {e.batch for e in history.executions} - known:
        yield f"I-02 lines of {batch} ran, which does not exist"


def one_batch_an_order(history):
    for order in history.orders:
        ids = {b["id"] for b in batches_of(history, order)}
        acked = {c.body["id"] for c in history.of("create", order) if c.was_acked}
        if len(ids | acked) > 1:
            yield f"I-03 order {order} became the batches {sorted(ids | acked)}"


def one_outcome_a_line(history):
    for order, wanted in history.orders.items():
        for batch in batches_of(history, order):
            if batch["status"] not in TERMINAL or batch["status"] == "failed" or not batch["in_progress_at"]:
                continue
            ids = [i for f in (batch["output_file_id"], batch["error_file_id"]) if f for i in history.lines.get(f, [])]
            count = collections.Counter(ids)
            for line in wanted:
                if count[line] != 1:
                    yield f"I-04 line {line} of {batch['id']}, {batch['status']}, has {count[line]} outcomes"
            for line in set(ids) - set(wanted):
                yield f"I-04 {batch['id']} has a line {line} that nobody asked for"


def observations(history):
    """What was told about each batch, in the order of the answers."""
    told = collections.defaultdict(list)
    for call in sorted(history.calls, key=lambda c: c.ended):
        if call.was_acked and call.body.get("object") == "batch":
            told[call.body["id"]].append(call)
    return told


def terminal_is_for_ever(history):
    for batch, calls in observations(history).items():
        end = None
        times = {}
        for call in calls:
            if end is not None and call.began >= end[0] and call.body != end[1]:
                yield f"I-05 {batch} changed after its end: {end[1]} {call.body}"
            if end is None and call.body["status"] in TERMINAL:
                end = (call.ended, call.body)
            for name in TIMES:
                value = call.body[name]
                if name in times and value is not None and times[name] != value:
                    yield f"I-05 {name} of {batch} moved from {times[name]} to {value}"
                if value is not None:
                    times[name] = value
        final = history.batches.get(batch)
        if end is not None and final is not None and final != end[1]:
            yield f"I-05 {batch} changed after its end: {end[1]} {final}"


def counts_conserve(history):
    for batch, calls in observations(history).items():
        before = None
        for call in calls:
            counts = call.body["request_counts"]
            if before is not None and call.began >= before.ended:
                old = before.body["request_counts"]
                if counts["completed"] < old["completed"] or counts["failed"] < old["failed"]:
                    yield f"I-06 counts of {batch} went down from {old} to {counts}"
            before = call
    for batch in history.batches.values():
        counts = batch["request_counts"]
        if batch["status"] not in TERMINAL or not batch["in_progress_at"]:
            continue
        if counts["completed"] + counts["failed"] != counts["total"]:
            yield f"I-06 {batch['id']} ended with {counts}"
        for name, file in (("completed", "output_file_id"), ("failed", "error_file_id")):
            if batch["status"] != "failed" and counts[name] != len(history.lines.get(batch[file], [])):
                yield f"I-06 {batch['id']} counts {counts} and has {len(history.lines.get(batch[file], []))} {name} lines"


def re_execution_is_bounded(history):
    times = collections.Counter((e.batch, e.line) for e in history.executions)
    repeats = sum(times.values()) - len(times)
    ends = history.crashes + history.lost_leases
    if repeats > ends * history.in_flight:
        yield f"I-07 {repeats} lines ran again after {ends} crashes and lost leases with {history.in_flight} in flight"


def cancel_is_bounded(history):
    for call in history.of("cancel"):
        if not call.was_acked:
            continue
        late = [e for e in history.executions if e.batch == call.body["id"] and e.began > call.ended + CANCEL_TICK]
        if late:
            yield f"I-09 {len(late)} lines of {call.body['id']} were sent after its cancel was acked"
        final = history.batches.get(call.body["id"])
        if final and final["cancelled_at"] and final["cancelled_at"] - final["cancelling_at"] > CANCEL_TARGET + 1:
            if not history.crashes:
                yield f"I-09 {call.body['id']} took {final['cancelled_at'] - final['cancelling_at']} s to be cancelled"


def deadline_is_bounded(history):
    for batch in history.batches.values():
        if batch["expired_at"] and batch["expired_at"] - batch["expires_at"] > DEADLINE_BOUND:
            yield f"I-10 {batch['id']} expired {batch['expired_at'] - batch['expires_at']} s late"


def everything_ends(history):
    for batch in history.batches.values():
        if batch["status"] not in TERMINAL:
            yield f"I-11 {batch['id']} is {batch['status']}"


def no_orphans(history):
    if history.blobs is None:
        return
    for orphan in sorted(history.blobs - set(history.files)):
        yield f"I-12 {orphan} is an orphan"
    for lost in sorted(set(history.files) - history.blobs):
        yield f"I-12 the bytes of {lost} are gone"


def memory_is_bounded(history):
    if history.memory_limit is not None and history.memory and max(history.memory) > history.memory_limit:
        yield f"I-13 {max(history.memory)} bytes of memory, more than {history.memory_limit}"
