"""T-04: bits flip in files that were uploaded or are finished, in plans and in checksums, and files become shorter.

What is damaged is named and not served, and costs the batch that needs it and no other.
"""

import os
import random
import sys
import unittest

import httpx

from damage import flip
from history import violations
from recorded import executions
from scenario import CONCURRENCY, Scenario
from services import wait_for

BLOCK = 64 << 10
# The gateway begins an answer when it has this much of it.
CHUNK = 256 << 10
# What the gateway reads of a file before it answers: a chunk less room for its frame's head.
FIRST_READ = CHUNK - (4 << 10)
# Of a file of checksums; 4 bytes for each block come behind it.
HEADER = 32


class DamagedFiles(Scenario):
    engine = ("--time-to-first-token", "10ms")

    def setUp(self):
        super().setUp()
        # At the engine, and as many whose answers were not synced yet.
        self.services.history.in_flight = 2 * CONCURRENCY

    # -- files

    def uploaded(self, size):
        """A file of bytes that no two blocks share; gives its path, its id and them."""
        content = random.Random(size).randbytes(size)
        answer = self.services.http.post(self.services.url + "/v1/files", data={"purpose": "user_data"},
                                         files={"file": ("bytes", content)})
        file = answer.json()["id"]
        return self.services.blob(file), file, content

    def download(self, file):
        """What a client gets: the status, the bytes, and whether these are as many as were announced."""
        received = bytearray()
        with self.services.http.stream("GET", f"{self.services.url}/v1/files/{file}/content") as answer:
            try:
                for part in answer.iter_raw():
                    received += part
            except (httpx.RemoteProtocolError, httpx.ReadError):
                return answer.status_code, bytes(received), False
        return answer.status_code, bytes(received), True

    def check_whole(self, file, content):
        status, received, is_whole = self.download(file)
        self.assertEqual((status, is_whole), (200, True))
        self.assertEqual(received, content)

    def check_refused(self, file, path, damage):
        """None of its bytes is served; the answer names the file, and the log where it is."""
        answer = self.services.http.get(f"{self.services.url}/v1/files/{file}/content")
        self.assertEqual(answer.status_code, 500)
        error = answer.json()["error"]
        self.assertEqual(error["code"], "file_damaged", error)
        self.assertIn(f"{path.name} {damage}", error["message"])
        self.assertNotIn(str(path.parent), error["message"])
        self.assertIn(f"{path} {damage}", self.log())

    def check_cut(self, file, content, path, block):
        """The answer ends before the damaged block, and everybody can see that."""
        status, received, is_whole = self.download(file)
        self.assertEqual((status, is_whole), (200, False))
        self.assertGreaterEqual(len(received), FIRST_READ)
        self.assertLessEqual(len(received), block * BLOCK)
        self.assertEqual(received, content[:len(received)])
        self.assertIn(f"{path} {self.damage_of(block, content)}", self.log())

    def damage_of(self, block, content):
        return f"is damaged in bytes {block * BLOCK} to {min((block + 1) * BLOCK, len(content))}"

    def sums(self, path):
        return path.with_name(path.name + ".sums")

    # -- batches

    def check_fails(self, order, file, path):
        """The batch of an order whose file or plan is damaged at `path`; gives its id."""
        batch = self.services.create(order, file).body["id"]
        self.check_failed(order, batch, path)
        return batch

    def check_failed(self, order, batch, path):
        """It names what is damaged, and has no result."""
        ended = self.end(order, batch)
        self.assertEqual((ended["status"], ended["output_file_id"], ended["error_file_id"]), ("failed", None, None))
        self.assertEqual([error["code"] for error in ended["errors"]["data"]], ["input_file_damaged"])
        self.assertIn(f"{path} is damaged", self.log())

    def check_completed(self, order, batch):
        lines = len(self.services.history.orders[order])
        self.assertEqual(self.end(order, batch)["request_counts"], {"total": lines, "completed": lines, "failed": 0})

    def check(self):
        """The promises hold; lines that cannot be read have no outcome, though, and so their batch's counts no sum."""
        found = violations(self.services.collect(with_blobs=True))
        batches = self.services.history.batches.values()
        without_sum = tuple(f"I-06 {b['id']} ended with" for b in batches if b["status"] == "failed")
        self.assertEqual([violation for violation in found if not violation.startswith(without_sum)], [])
        self.assertEqual(self.services.check_database(), "ok")
        self.assertTrue(self.services.scheduler.runs)


class Flips(DamagedFiles):
    def test_T04_a_bit_of_an_uploaded_file(self):
        # The last block is a short one.
        path, file, content = self.uploaded(16 * BLOCK + 1_000)
        for offset in (0, CHUNK - 1, CHUNK, 9 * BLOCK + 77, len(content) - 1):
            with self.subTest(offset=offset):
                flip(path, offset)
                if offset < CHUNK:
                    self.check_refused(file, path, self.damage_of(offset // BLOCK, content))
                else:
                    self.check_cut(file, content, path, offset // BLOCK)
                flip(path, offset)
                self.check_whole(file, content)
        self.check()

    def test_T04_a_bit_of_an_input_before_its_batch_runs(self):
        whole, _, other = self.services.order(["Hello"] * 200)
        order, file = self.upload(["Hello"] * 5)
        flip(self.services.blob(file), 100)
        self.check_fails(order, file, self.services.blob(file))
        self.check_completed(whole, other)
        # All that ran is the other batch's.
        self.assertEqual(self.executions(), self.executions(other))
        self.check()

    def test_T04_a_bit_far_into_an_input_ends_the_batch_when_it_is_reached(self):
        """What stands before it may run, nothing of the damaged block does."""
        order, file = self.upload(["Hello"] * 1_200)
        path = self.services.blob(file)
        content = path.read_bytes()
        block = (len(content) - 1) // BLOCK
        first_damaged = content[:block * BLOCK].count(b"\n")
        flip(path, len(content) - 10)
        batch = self.check_fails(order, file, path)
        ran = [line for id, line, _ in executions(self.services.witness) if id == batch]
        self.assertGreater(len(ran), 0)
        self.assertLess(max(ran), first_damaged)
        self.check()

    def test_T04_a_bit_of_a_plan_of_a_batch_that_is_taken_up_again(self):
        services = self.services
        for offset in (4, 16):
            with self.subTest(offset=offset):
                whole, _, other = services.order(["Hello"] * 200)
                order, file, batch = services.order(["[[fault:hang]]"] * 2)
                wait_for(lambda: services.get(order, batch)["status"] == "in_progress", "it to run")
                services.scheduler.kill()
                flip(services.blob(f"{file}.plan"), offset)
                services.revive()
                self.check_failed(order, batch, services.blob(f"{file}.plan"))
                self.check_completed(whole, other)
                # The file that the plan is of is as it was.
                self.check_whole(file, services.blob(file).read_bytes())
        self.check()

    def test_T04_a_bit_of_a_finished_output(self):
        order, _, batch = self.services.order(["Hello"] * 1_500)
        file = self.end(order, batch)["output_file_id"]
        path = self.services.blob(f"{file}.e1")
        content = path.read_bytes()
        self.check_whole(file, content)
        late, early = len(content) - 5, 1_000
        self.assertGreater(late // BLOCK * BLOCK, CHUNK, "a longer output is needed")
        flip(path, late)
        self.check_cut(file, content, path, late // BLOCK)
        flip(path, early)
        self.check_refused(file, path, self.damage_of(0, content))
        # Nor is it served by a scheduler that has yet to find it. The call waits until the gateway sees that one.
        self.restart()
        self.services.get(order, batch)
        self.check_refused(file, path, self.damage_of(0, content))
        flip(path, early)
        flip(path, late)
        self.check_whole(file, content)
        self.check()


class Checksums(DamagedFiles):
    def test_T04_a_bit_of_the_header_of_checksums(self):
        path, file, content = self.uploaded(1_000)
        sums = self.sums(path)
        for offset in range(HEADER):
            with self.subTest(offset=offset):
                flip(sums, offset)
                self.check_refused(file, sums, "is damaged at byte 0")
                flip(sums, offset)
        self.check_whole(file, content)
        self.check()

    def test_T04_a_bit_of_the_checksum_of_a_block(self):
        path, file, content = self.uploaded(8 * BLOCK)
        sums = self.sums(path)
        flip(sums, HEADER + 4 * 7)
        self.check_cut(file, content, path, 7)
        flip(sums, HEADER)
        self.check_refused(file, path, self.damage_of(0, content))
        # The way to what is left, for people.
        sums.unlink()
        self.check_whole(file, content)
        self.check()

    def test_T04_a_bit_of_the_checksums_of_an_input_and_of_a_plan(self):
        for suffix in ("", ".plan"):
            with self.subTest(suffix=suffix):
                order, file = self.upload(["Hello"] * 5)
                sums = self.sums(self.services.blob(file + suffix))
                flip(sums, 8)
                self.check_fails(order, file, sums)
        self.check()

    def test_T04_checksums_that_were_cut_off(self):
        path, file, content = self.uploaded(2 * BLOCK)
        sums = self.sums(path)
        written = sums.read_bytes()
        for size, damage in ((0, "is damaged at byte 0"), (HEADER - 1, "is damaged at byte 0"),
                             (HEADER, "is too short"), (HEADER + 7, "is too short")):
            with self.subTest(size=size):
                sums.write_bytes(written)
                os.truncate(sums, size)
                self.check_refused(file, sums, damage)
        sums.write_bytes(written)
        self.check_whole(file, content)
        self.check()

class Sizes(DamagedFiles):
    def test_T04_a_file_of_another_size(self):
        path, file, content = self.uploaded(5 * BLOCK)
        for size in (0, 1, BLOCK, len(content) - 1, len(content) + 1):
            with self.subTest(size=size):
                path.write_bytes(content)
                os.truncate(path, size)
                self.check_refused(file, path, f"is damaged: it has {size} of {len(content)} bytes")
        path.write_bytes(content)
        self.check_whole(file, content)
        self.check()

    def test_T04_an_input_and_a_plan_that_were_cut_off(self):
        whole, _, other = self.services.order(["Hello"] * 200)
        for suffix in ("", ".plan"):
            with self.subTest(suffix=suffix):
                order, file = self.upload(["Hello"] * 5)
                path = self.services.blob(file + suffix)
                os.truncate(path, path.stat().st_size - 1)
                self.check_fails(order, file, path)
        self.check_completed(whole, other)
        self.check()

    def test_T04_a_plan_of_an_earlier_version_that_has_no_checksums(self):
        """Its own form is all that tells: a bit of an entry's last byte, which is zero, and a plan that was cut off."""
        for damage in (lambda plan: flip(plan, 31), lambda plan: os.truncate(plan, plan.stat().st_size - 1)):
            order, file = self.upload(["Hello"] * 5)
            plan = self.services.blob(f"{file}.plan")
            self.sums(plan).unlink()
            damage(plan)
            ended = self.end(order, self.services.create(order, file).body["id"])
            self.assertEqual(ended["status"], "failed")
            self.assertEqual([error["code"] for error in ended["errors"]["data"]], ["input_file_damaged"])
        self.check()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
