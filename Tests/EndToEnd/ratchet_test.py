"""The eleven scenarios that llm-d's batch gateway keeps in its ratchet file (B5-03), told to real processes."""

import sys
import time
import unittest

from history import TERMINAL
from scenario import CONCURRENCY, Scenario
from services import wait_for


class Crashes(Scenario):
    def test_create_crash_after_store(self):
        """The batch is stored and the scheduler dies before it says so: the same key gives that batch."""
        order, file = self.upload(["Hello"] * 3)
        self.restart("rpc.before_reply:1")
        self.dies(lambda: self.post_batch(file, **{"idempotency-key": "order-1"}))
        stored = self.stored()
        self.assertEqual(len(stored), 1)
        self.assertEqual(self.executions(), 0)
        created = self.services.create(order, file)
        self.assertEqual(created.body["id"], stored[0]["id"])
        self.end(order, created.body["id"])
        self.assertEqual(self.executions(), 3)
        self.check_promises()

    def test_create_crash_after_store_without_a_key_leaves_a_batch_that_can_be_seen_and_cancelled(self):
        order, file = self.upload(["[[fault:hang]]"] * 3)
        self.restart("rpc.before_reply:1")
        self.dies(lambda: self.post_batch(file))
        self.services.revive()
        batch, = self.services.pages("/v1/batches")
        self.assertEqual(batch["input_file_id"], file)
        self.services.cancel(order, batch["id"])
        self.assertEqual(self.end(order, batch["id"])["status"], "cancelled")

    def test_orphaned_blob(self):
        """The bytes of an upload are in place and its record is not: they are swept, and nothing else is."""
        _, kept = self.upload(["Hello"])
        self.restart("store.after_rename:1")
        order, file = self.upload(["Hello"] * 3)
        self.assertEqual(self.services.history.crashes, 1)
        orphans = self.services.blobs() - {kept, file}
        self.assertEqual(len(orphans), 1, "the crash left nothing behind")
        wait_for(lambda: self.services.blobs() == {kept, file}, "the sweep")
        self.end(order, self.services.create(order, file).body["id"])
        self.check_promises(with_blobs=True)

    def test_orphaned_blob_of_an_output(self):
        """The output file is in place and its record is not: the next owner writes its own, the old one is swept."""
        order, file = self.upload(["Hello"] * 3)
        self.restart("store.after_rename:1")
        batch = self.services.create(order, file).body["id"]
        self.dies()
        self.assertEqual(len(self.services.blobs()), 2)
        self.end(order, batch)
        self.check_promises(with_blobs=True)
        wait_for(lambda: len(self.output_epochs()) == 1, "the sweep of the first owner's output")

    def test_finalization_strand(self):
        """The scheduler dies while it assembles: the next one assembles again, and no line runs again."""
        order, file = self.upload(["Hello"] * 20)
        self.restart("store.after_rename:1")
        batch = self.services.create(order, file).body["id"]
        self.dies()
        self.assertEqual([(b["status"], b["counts"]["total"]) for b in self.stored()], [("finalizing", 20)])
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]), ("completed", {"total": 20, "completed": 20, "failed": 0}))
        self.assertEqual(self.executions(), 20)
        self.check_promises()

    def test_finalization_strand_after_the_last_commit(self):
        """The scheduler dies after the batch is stored as completed: nothing runs, what is left is swept."""
        jobs = self.services.path / "data" / "jobs"

        def is_stored(batch):
            return [b["status"] for b in self.stored() if b["id"] == batch] == ["completed"]

        # Which unlink is the first one behind that commit is looked for.
        for number in range(1, 20):
            order, file = self.upload(["Hello"] * 5)
            self.restart(f"store.before_unlink:{number}")
            batch = self.services.create(order, file).body["id"]
            self.dies()
            if is_stored(batch) and (jobs / batch).exists():
                break
            self.end(order, batch)
            # Else the next scheduler may remove what this one left, and dies at another place than its number says.
            wait_for(lambda: not list(jobs.iterdir()), "the sweep of job files")
        else:
            self.fail("the scheduler never died between the last commit and its clean-up")
        before = self.executions()
        self.assertEqual(self.end(order, batch)["status"], "completed")
        wait_for(lambda: not list(jobs.iterdir()), "the sweep of job files")
        self.assertEqual(self.executions(), before)
        self.check_promises(with_blobs=True)

    def test_async_result_destruction(self):
        """Answers that came and were not stored yet go with the process: those lines run again, the stored ones not."""
        order, file = self.upload(["Hello"] * 40)
        self.restart("engine.after_answer:20")
        batch = self.services.create(order, file).body["id"]
        self.dies()
        ended = self.end(order, batch)
        self.assertEqual((ended["request_counts"]["completed"], ended["request_counts"]["total"]), (40, 40))
        self.assertGreater(self.executions(), 40, "the death cost no answer")
        # Answers that wait for their commit count as in flight here.
        self.assertLessEqual(self.executions(), 40 + 20 + CONCURRENCY)
        self.services.history.in_flight = 20 + CONCURRENCY
        self.check_promises()

    def test_recovery_crash_loop(self):
        """A record that nobody can read is put aside and reported; all others go on, at every start."""
        order, file = self.upload(["[[fault:hang]]"] * 3)
        damaged = self.services.create(order, file).body["id"]
        other, _, whole = self.services.order(["Hello"] * 5)
        self.end(other, whole)
        waiting, _, unfinished = self.services.order(["Hello"] * 3 + ["[[fault:hang]]"])
        wait_for(lambda: self.counts(waiting, unfinished)["completed"] == 3, "three answers")
        self.services.scheduler.kill()
        self.edit(damaged, lambda payload: payload[:len(payload) // 2])
        for _ in range(2):
            self.services.restart_at()
            wait_for(lambda: "is put aside" in self.log(), "the report")
            number, _, batch = self.services.order(["Hello"] * 5)
            self.assertEqual(self.end(number, batch)["status"], "completed")
            self.assertEqual(self.counts(waiting, unfinished)["completed"], 3)
            self.assertTrue(self.services.scheduler.runs)
            self.assertEqual(self.services.http.get(f"{self.services.url}/v1/batches/{damaged}").status_code, 500)
            self.services.scheduler.kill()
        self.services.restart_at()
        self.services.cancel(waiting, unfinished)
        self.assertEqual(self.end(waiting, unfinished)["status"], "cancelled")
        self.assertEqual(self.log().count("is put aside"), 1, "it is looked at again and again")


class Cancels(Scenario):
    def running(self, lines=("Hello",) * 3 + ("[[fault:hang]]",) * 3):
        """A batch with three answers and three requests that hang."""
        order, _, batch = self.services.order(lines)
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "three answers")
        return order, batch

    def check_cancelled(self, order, batch):
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]),
                         ("cancelled", {"total": 6, "completed": 3, "failed": 3}))
        self.assertIsNotNone(ended["cancelling_at"])
        self.assertIsNotNone(ended["cancelled_at"])
        self.assertIsNone(ended["completed_at"])

    def test_cancel_event_lost(self):
        """The cancel is stored, and the scheduler dies before anybody who runs the batch hears of it."""
        order, file = self.upload(["Hello"] * 3 + ["[[fault:hang]]"] * 3)
        batch = self.services.create(order, file).body["id"]
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "three answers")
        other = self.services.start_scheduler()
        self.services.scheduler.pause()
        elsewhere = self.services.start_gateway(other)
        answer = wait_for(lambda: self.cancel_at(elsewhere, batch), "the cancel at the other scheduler")
        self.assertEqual(answer["status"], "cancelling")
        # The owner never runs again.
        self.services.scheduler.kill()
        self.services.gateway = elsewhere
        self.services.scheduler = other
        self.check_cancelled(order, batch)

    def test_cancel_event_lost_on_its_way_to_the_owner(self):
        """Another scheduler takes the cancel and can tell nobody: the owner, whose lines hang, finds it in the store."""
        order, batch = self.running()
        other = self.services.start_gateway(self.services.start_scheduler())
        answer = wait_for(lambda: self.cancel_at(other, batch), "the cancel at the other scheduler")
        self.assertEqual(answer["status"], "cancelling")
        self.check_cancelled(order, batch)
        self.check_promises()

    def cancel_at(self, gateway, batch):
        answer = self.post(gateway, f"/v1/batches/{batch}/cancel")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    def test_cancel_event_lost_between_the_store_and_the_answer(self):
        order, batch = self.running()
        self.restart()
        wait_for(lambda: self.counts(order, batch)["completed"] == 3, "the restart")
        self.services.scheduler.kill()
        self.services.restart_at("rpc.before_reply:1")
        self.dies(lambda: self.cancel_at(self.services.gateway, batch))
        self.assertEqual([b["status"] for b in self.stored()], ["cancelling"])
        self.check_cancelled(order, batch)
        self.services.history.crashes += 2
        self.check_promises()

    def test_cancel_reverted(self):
        """Progress that is stored meanwhile, a second cancel and a crash leave a cancelled batch cancelled."""
        order, batch = self.running()
        first = self.services.cancel(order, batch).body
        again = self.services.cancel(order, batch).body
        self.assertEqual((first["status"], again["cancelling_at"]), ("cancelling", first["cancelling_at"]))
        seen = {self.services.get(order, batch)["status"] for _ in range(20)}
        self.services.scheduler.kill()
        self.assertEqual([b["status"] for b in self.stored()], ["cancelling"])
        self.services.revive()

        def ended():
            status = self.services.get(order, batch)["status"]
            seen.add(status)
            return status in TERMINAL

        wait_for(ended, "the end")
        self.assertLessEqual(seen, {"cancelling", "cancelled"})
        self.check_cancelled(order, batch)
        self.check_promises()

    def test_cancel_racing_completion(self):
        """A cancel at any moment around the end is either acked and kept, or refused and the batch completed."""
        ends = []
        for step in range(30):
            order, _, batch = self.services.order(["Hello"] * 4)
            time.sleep(step * 0.004)
            if step % 10 == 9:
                self.end(order, batch)
            call = self.services.cancel(order, batch)
            ended = self.end(order, batch)
            self.assertEqual(ended["status"], "cancelled" if call.was_acked else "completed")
            ends.append(ended["status"])
        self.assertEqual(set(ends), {"cancelled", "completed"}, "the race has one winner only")
        self.check_promises()


class TwoOwners(Scenario):
    engine = ("--time-to-first-token", "50ms", "--slots", "32")

    def test_duplicate_execution(self):
        """Two schedulers that look at the same batches run each line once."""
        self.services.start_scheduler()
        batches = [self.services.order(["Hello"] * 30) for _ in range(6)]
        for order, _, batch in batches:
            self.end(order, batch)
        self.assertEqual(self.executions(), 180)
        self.check_promises()

    def test_terminal_overwrite(self):
        """An owner that slept through its lease wakes up after somebody else has ended its batch: nothing changes."""
        order, _, batch = self.services.order(["Hello"] * 400)
        wait_for(lambda: self.counts(order, batch)["completed"] > 20, "some answers")
        sleeper, first = self.services.scheduler, self.services.gateway
        sleeper.pause()
        self.services.scheduler = self.services.start_scheduler()
        self.services.gateway = self.services.start_gateway(self.services.scheduler)
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]["completed"]), ("completed", 400))
        record = [b for b in self.stored() if b["id"] == batch]
        ran = self.executions(batch)
        sleeper.go_on()
        # It is awake once it has run a batch of its own lease.
        self.services.scheduler.terminate()
        self.services.gateway, self.services.scheduler = first, sleeper
        other, _, later = self.services.order(["Hello"] * 5)
        self.end(other, later)
        self.assertEqual([b for b in self.stored() if b["id"] == batch], record)
        self.assertLessEqual(self.executions(batch) - ran, CONCURRENCY)
        self.services.history.crashes = 2
        self.check_promises()

    def test_worker_crash_strands_job(self):
        """The scheduler that runs a batch is killed: another one goes on without a wait for the end of the lease."""
        self.services.scheduler_arguments = ("--engine-concurrency", CONCURRENCY, "--lease", "100s")
        self.restart()
        order, _, batch = self.services.order(["Hello"] * 200)
        wait_for(lambda: self.executions(batch) > 20, "some answers")
        other = self.services.start_scheduler()
        self.services.scheduler.kill()
        self.services.scheduler = other
        self.services.gateway = self.services.start_gateway(other)
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["request_counts"]["completed"]), ("completed", 200))
        self.services.history.crashes = 2
        self.check_promises()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
