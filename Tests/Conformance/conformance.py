"""Holds a server against the contract of the OpenAI API, item by item: conformance.py [--base-url URL].

Without a URL it starts the pair and an engine simulator (PROGRAMS names the folder with the programs). The exit code is
1 when an item fails that known_failures.txt does not list, or one that it lists does not fail any more.
"""

import argparse
import os
import pathlib
import sys

import checks_batch_object
import checks_create
import checks_errors
import checks_files
import checks_lists
import checks_online
import checks_results
import checks_states
import checks_uploads
import checks_validation
import document
import registry
import report
from session import Session
from target import Target


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default=os.environ.get("BASE_URL") or None, help="default: the pair, started here")
    parser.add_argument("--api-key", default=os.environ.get("API_KEY") or "none")
    parser.add_argument("--other-api-key", default=os.environ.get("OTHER_API_KEY") or None, help="of another tenant")
    parser.add_argument("--model", default=os.environ.get("MODEL") or "simulated-model")
    parser.add_argument("--simulated-engine", action="store_true", help="the engine is this project's simulator")
    parser.add_argument("--witness", type=pathlib.Path, help="the ledger of that simulator")
    parser.add_argument("--foreign", action="store_true",
                        help="another implementation: no deliberate differences, no tests elsewhere, no known failures")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="gets the table for machines")
    parser.add_argument("--only", nargs="*", default=[], metavar="PREFIX", help="items such as A5 or A5-02")
    return parser.parse_args(arguments)


def hold(target, chosen):
    """The rows of a run, printed as they come."""
    differences = None if chosen.foreign else (report.ROOT / "docs/api.md").read_text()
    rows, patience = [], 10 if chosen.foreign else 45
    for row in report.run(Session(target, patience), chosen.only, differences):
        rows.append(row)
        print("\n".join(report.table([row])), flush=True)
    return rows


def main(arguments=None):
    chosen = options(arguments)
    missing = set(registry.wanted()) ^ set(registry.CHECKS)
    assert not missing, f"items without a check, or checks without an item: {sorted(missing)}"
    pair, wrong = None, []
    if chosen.base_url is None:
        from pair import Pair
        pair = Pair()
    try:
        target = pair.target() if pair else Target(
            chosen.base_url, api_key=chosen.api_key, other_key=chosen.other_api_key, model=chosen.model,
            simulated=chosen.simulated_engine, witness=chosen.witness, strict=not chosen.foreign)
        rows = hold(target, chosen)
        if not chosen.foreign:
            wrong = [*document.undocumented_routes(), *document.wrong_methods(target.http)]
            wrong += document.violations(target.exchanges)
        target.close()
    finally:
        if pair is not None:
            pair.stop()
    known = {} if chosen.foreign else report.known_failures(report.KNOWN.read_text())
    found = [*report.problems(rows, known), *wrong]
    if chosen.json:
        chosen.json.write_text(report.as_json(rows, base_url=chosen.base_url, problems=found))
    print("\n".join(report.totals(rows)))
    for problem in found:
        print(f"conformance: {problem}")
    if expected := [row.item for row in rows if row.state == "FAIL" and row.item in known]:
        print(f"{len(expected)} known failures: {' '.join(expected)}")
    print(f"{sum(row.state != 'FAIL' for row in rows)} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
