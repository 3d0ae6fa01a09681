"""Builds peers in Go over containerd/ttrpc, with messages that protoc generates from protos/."""

import os
import pathlib
import shutil
import subprocess

from raw_peer import PROTOS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def build(name, directory, *, with_streams=False):
    """Builds the program in the folder `name`, in GOPATH mode and from Debian's packages alone. Those of Debian 12 have
    ttrpc 1.1, which has no streams; `with_streams` takes that of Debian 13."""
    source = directory / "src"
    shutil.copytree(HERE / name, source / name)
    (source / "backfillpb").mkdir()
    packages = {}
    for path in sorted((PROTOS / "backfill").rglob("*.proto")):
        folder = path.relative_to(PROTOS / "backfill").parts[0]
        packages[str(path.relative_to(PROTOS))] = f"backfillpb/{folder}"
    mapping = ",".join(f"M{file}={package}" for file, package in packages.items())
    subprocess.run(
        ["protoc", f"--go_out={source}", f"--go_opt=paths=import,{mapping}", *packages], cwd=PROTOS, check=True)
    path = [directory, "/usr/share/gocode"]
    if with_streams:
        ttrpc = ROOT / ".build" / "go-ttrpc"
        subprocess.run([ROOT / "scripts" / "go_ttrpc.sh", ttrpc], check=True)
        path.insert(1, ttrpc)
    program = directory / name
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOPATH": ":".join(map(str, path)),
                   "GOCACHE": str(directory / "cache")}
    subprocess.run(["go", "build", "-o", program, name], env=environment, check=True)
    return program
