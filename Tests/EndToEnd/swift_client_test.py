"""An internal service in Swift: a package of its own that depends on BackfillClient and nothing else."""

import json
import pathlib
import shutil
import subprocess
import unittest

from services import Services

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "examples" / "swift-client"
SCRATCH = ROOT / ".build" / "examples"


def build():
    """Builds the example as its readers do, with the versions of dependencies that the project itself is built with."""
    resolved = ROOT / "Package.resolved"
    if resolved.exists():
        shutil.copyfile(resolved, PACKAGE / "Package.resolved")
    command = ["swift", "build", "--package-path", PACKAGE, "--scratch-path", SCRATCH, "--disable-index-store"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(run.stdout + run.stderr)
    path = subprocess.run([*command, "--show-bin-path"], capture_output=True, text=True, check=True).stdout.strip()
    return pathlib.Path(path) / "run-batch"


class SwiftClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = build()

    def test_a_package_of_its_own_runs_a_batch_at_the_scheduler(self):
        services = Services()
        self.addCleanup(services.stop)
        lines = [
            {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/embeddings",
             "body": {"model": "simulated-model", "input": "x" * 40_000}}
            for number in range(20)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        # The second address is nobody's: the calls go to the one that is there.
        run = subprocess.run(
            [self.program, "/v1/embeddings", services.scheduler.address, "127.0.0.1:1"],
            input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        answers = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual([answer["custom_id"] for answer in answers], [line["custom_id"] for line in lines])
        self.assertEqual({answer["response"]["status_code"] for answer in answers}, {200})


if __name__ == "__main__":
    unittest.main()
