"""Runs schemathesis over docs/openapi.yaml against the pair: requests made from the document, right ones and wrong ones.

Every answer must have a documented status, headers and body, none may be a 5xx, and what the document calls wrong must be
refused. PROGRAMS names the folder with the programs; arguments go on to `st run`, such as `--seed 1`.
"""

import pathlib
import subprocess
import sys

from pair import Pair

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main():
    pair = Pair()
    try:
        target = pair.target()
        # Something to list, and whose id the links of the document can follow.
        target.upload(b"{}\n")
        command = [ROOT / ".venv/bin/st", "--config-file", HERE / "schemathesis.toml", "run", ROOT / "docs/openapi.yaml",
                   "--url", pair.url, "--header", f"Authorization: Bearer {target.api_key}", "--checks", "all",
                   *sys.argv[1:]]
        code = subprocess.run(list(map(str, command)), cwd=pair.services.path).returncode
        target.close()
    finally:
        pair.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
