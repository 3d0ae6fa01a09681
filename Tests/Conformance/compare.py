"""Runs the same checks against the pair and two other implementations, and writes docs/conformance.md.

PROGRAMS names the folder with the programs; .venv-aibrix and .venv-ogx hold the others (scripts/conformance_compare.sh).
All stand in front of the same simulated engine.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import types

import httpx

import conformance
import report
from pair import MODEL, Pair
from target import Target

from services import Program, wait_for

ROOT = report.ROOT
PAGE = ROOT / "docs/conformance.md"
START_SECONDS = 120
AIBRIX, OGX = "AIBrix 0.8.0", "OGX 1.5.0"

INTRODUCTION = """# Conformance

`make conformance` holds a server against the contract of the OpenAI API, one check for each item, with the official
Python SDK (which refuses answers that are not of its own types) and with plain HTTP for what an SDK does not send:

```sh
make conformance                                             # the pair, with a simulated engine
make conformance BASE_URL=http://127.0.0.1:8080 MODEL=name   # any server; API_KEY, OTHER_API_KEY for a second tenant
make conformance JSON=table.json
```

*difference*: the pair does otherwise on purpose, and [the API page](api.md) says so. *elsewhere*: hours or hundreds of
megabytes, which a test of the repository shows that the check names. *n/a*: the run gave no means to see it, such as a
second tenant's key. The items are points of OpenAI's API description, of its guides, and of what its service was seen to do.
Items that the pair does not keep are listed in `Tests/Conformance/known_failures.txt`: another one fails `make test`, and so
does one that is kept by now.

Each answer that the checks see is also held against [openapi.yaml](openapi.yaml), whose routes are compared with the
gateway's source; schemathesis makes requests from that document, right ones and wrong ones, and every answer must be as it
says. So what runs is the Python SDK and plain HTTP. The Node SDK is not run: Debian has no package of it, and packages for Node
are not among what the tests may fetch.

The same checks against two other servers that can be had from PyPI, both in front of the same simulated engine
(`make conformance-compare`), show that the table can fail. Neither promises all of the API: AIBrix serves files and batches,
online requests take another way there; an item that needs a route which is not served fails here all the same.

"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def process(log, *command, **environment):
    """A program that is ended with the block."""
    with open(log, "wb") as output:
        running = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, cwd=log.parent,
                                   env={**os.environ, **environment})
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def answers(url):
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def aibrix(path, engine):
    """AIBrix's metadata service with its local stores."""
    port, redis = free_port(), free_port()
    server = ROOT / "Benchmarks/aibrix_server.py"
    with process(path / "redis.log", "redis-server", "--port", redis, "--bind", "127.0.0.1", "--save", ""):
        with process(path / "aibrix.log", ROOT / ".venv-aibrix/bin/python", server, port, engine, 64,
                     REDIS_HOST="127.0.0.1", REDIS_PORT=str(redis), STORAGE_TYPE="local", METASTORE_TYPE="redis",
                     STORAGE_LOCAL_PATH=str(path / "storage")):
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/healthz"), AIBRIX, START_SECONDS)
            yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def ogx(path, engine):
    """OGX, formerly Llama Stack, with its reference batches."""
    port = free_port()
    with process(path / "ogx.log", ROOT / ".venv-ogx/bin/python", ROOT / ".venv-ogx/bin/ogx", "run", "--insecure",
                 "--port", port, ROOT / "Tests/Conformance/ogx.yaml", STATE=str(path), ENGINE=engine, HOME=str(path)):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/v1/health"), OGX, START_SECONDS)
        yield f"http://127.0.0.1:{port}"


def chosen(foreign):
    return types.SimpleNamespace(foreign=foreign, only=[])


def theirs(serve, models):
    """The rows of another implementation."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        path = pathlib.Path(directory)
        engine = Program("backfill-engine-simulator", "--listen", "127.0.0.1:0", "--model", MODEL, "--witness",
                         path / "witness.jsonl", "--time-per-token", "5ms", log=path / "engine.log")
        try:
            with serve(path, f"http://{engine.address}") as url:
                target = Target(url, model=models, simulated=True, witness=path / "witness.jsonl", strict=False)
                rows = conformance.hold(target, chosen(foreign=True))
                target.close()
                return rows
        finally:
            engine.kill()


def ours():
    pair = Pair()
    try:
        target = pair.target()
        rows = conformance.hold(target, chosen(foreign=False))
        target.close()
        return rows
    finally:
        pair.stop()


def write(columns):
    page = INTRODUCTION
    for name, rows in columns.items():
        page += f"- **{name}**: " + "; ".join(report.totals(rows)) + "\n"
    PAGE.write_text(page + "\n" + "\n".join(report.markdown(columns)) + "\n")


def main():
    columns = {"Backfill": ours(), AIBRIX: theirs(aibrix, MODEL), OGX: theirs(ogx, f"engine/{MODEL}")}
    write(columns)
    print(f"{PAGE} is written")


if __name__ == "__main__":
    sys.exit(main())
