"""Starts the real programs for a test and stops them."""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ["PROGRAMS"])
START_SECONDS = 30
STOP_SECONDS = 30


class DidNotStart(AssertionError):
    """A program ended, or said nothing, before it listened."""


class Program:
    """One running program and the address it listens on."""

    def __init__(self, name, *arguments, log, environment=None):
        self.name = name
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [BIN / name, *map(str, arguments)], stdout=subprocess.PIPE, stderr=output,
                env={**os.environ, **(environment or {})},
            )
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        match = re.fullmatch(r"listening (\S+)\n", line)
        if not match:
            self.kill()
            raise DidNotStart(f"{name} did not say where it listens: {line!r}, log: {pathlib.Path(log).read_text()}")
        self.address = match.group(1)

    @property
    def runs(self):
        return self.process.poll() is None

    def terminate(self):
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def resident_bytes(self):
        """What it holds in memory now."""
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self):
        """Paths of the files that it has open."""
        paths = set()
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            # It may be closed by now.
            with contextlib.suppress(FileNotFoundError):
                paths.add(os.readlink(link))
        return paths

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class Services:
    """A simulated engine, a scheduler and a gateway over a directory of their own."""

    def __init__(self, *, engine=(), scheduler=(), gateway=(), engine_address=None):
        self.directory = tempfile.TemporaryDirectory(prefix="backfill-")
        self.path = pathlib.Path(self.directory.name)
        self.witness = self.path / "witness.jsonl"
        self.scheduler_arguments = scheduler
        self.gateway_arguments = gateway
        self.programs = []
        if engine_address is None:
            self.engine = self.start(
                "backfill-engine-simulator", "--listen", "127.0.0.1:0", "--witness", self.witness, *engine
            )
            engine_address = self.engine.address
        self.engine_address = engine_address
        try:
            self.start_pair()
        except DidNotStart:
            # Nobody gets the value that could stop the engine.
            self.stop()
            raise

    def start(self, name, *arguments, environment=None):
        program = Program(name, *arguments, log=self.path / f"{name}.log", environment=environment)
        self.programs = [p for p in self.programs if p.runs] + [program]
        return program

    def start_scheduler(self, *, listen="127.0.0.1:0", environment=None):
        return self.start(
            "backfill-scheduler", "--listen", listen, "--data", self.path / "data",
            "--engine", f"http://{self.engine_address}", *self.scheduler_arguments, environment=environment,
        )

    def start_gateway(self, *schedulers):
        return self.start(
            "backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", ",".join(s.address for s in schedulers),
            *self.gateway_arguments,
        )

    def start_pair(self):
        self.scheduler = self.start_scheduler()
        self.gateway = self.start_gateway(self.scheduler)

    @property
    def url(self):
        return f"http://{self.gateway.address}"

    def stop(self):
        """Stops what still runs, the last started first; gives the exit codes by name."""
        codes = {p.name: p.terminate() for p in reversed(self.programs) if p.process.poll() is None}
        self.directory.cleanup()
        return codes


def wait_for(condition, what, seconds=60):
    """Polls until `condition` gives something true, and gives that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"timed out waiting for {what}")
