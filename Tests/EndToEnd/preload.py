"""Makes the libraries for LD_PRELOAD from the C sources that stand beside this module."""

import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent


def library(name, add_cleanup):
    """Compiles `name`.c; the library goes with the cleanup of the test or class of tests."""
    directory = tempfile.TemporaryDirectory(prefix="backfill-preload-")
    add_cleanup(directory.cleanup)
    path = pathlib.Path(directory.name) / f"{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, HERE / f"{name}.c",
                    "-ldl", "-lm", "-lpthread"], check=True)
    return path
