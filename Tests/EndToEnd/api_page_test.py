"""The examples of docs/api.md run as they stand, and print what the page says."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import unittest

import yaml

import api_page
from services import BIN, Services

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1:8080"
# How the SDK reaches a route.
SDK_CALLS = {
    "POST /v1/files": "files.create(", "GET /v1/files": "files.list(", "GET /v1/files/{id}": "files.retrieve(",
    "DELETE /v1/files/{id}": "files.delete(", "GET /v1/files/{id}/content": "files.content(",
    "POST /v1/uploads": "uploads.create(", "POST /v1/uploads/{id}/parts": "uploads.parts.create(",
    "GET /v1/uploads/{id}": 'get(f"/uploads/{upload.id}"', "POST /v1/uploads/{id}/complete": "uploads.complete(",
    "POST /v1/uploads/{id}/cancel": "uploads.cancel(",
    "POST /v1/batches": "batches.create(", "GET /v1/batches": "batches.list(",
    "GET /v1/batches/{id}": "batches.retrieve(", "POST /v1/batches/{id}/cancel": "batches.cancel(",
    "DELETE /v1/batches/{id}": 'delete(f"/batches/{batch.id}"',
    "POST /v1/batches/{id}/pause": 'post(f"/batches/{batch.id}/pause"',
    "POST /v1/batches/{id}/resume": 'post(f"/batches/{batch.id}/resume"',
    "POST /v1/batches/{id}/retry": 'post(f"/batches/{batch.id}/retry"',
    "GET /v1/batches/{id}/results": 'get(f"/batches/{batch.id}/results"',
    "GET /v1/models": "models.list(", "GET /v1/models/{id}": "models.retrieve(",
}
DOCUMENT = ROOT / "docs/openapi.yaml"
# An answer of another status than 2xx fails its example.
CURL = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }\n'
EXAMPLE_SECONDS = 60


def routes():
    """Method and path of each operation of the OpenAPI document, which the conformance checks compare with the source."""
    for path, item in yaml.safe_load(DOCUMENT.read_text())["paths"].items():
        yield from ((method.upper(), path) for method in item if method in ("get", "post", "delete"))


class ApiPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Slow enough that a batch can be paused and cancelled by hand, and has not ended when it is.
        cls.services = Services(engine=("--time-to-first-token", "2s", "--slots", "64"))
        cls.addClassCleanup(cls.services.stop)
        (cls.services.path / "examples").symlink_to(ROOT / "examples")
        cls.ids, cls.names = {}, {}

    def run_shell(self, code):
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", CURL + code], cwd=self.services.path, text=True,
                             capture_output=True, timeout=EXAMPLE_SECONDS,
                             env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    def run_python(self, code, line):
        printed = io.StringIO()
        before = os.getcwd()
        os.chdir(self.services.path)
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + code, str(api_page.PAGE), "exec"), self.names)
        finally:
            os.chdir(before)
        return printed.getvalue()

    def check(self, example):
        code = api_page.filled(example.code.replace(ADDRESS, self.services.gateway.address), self.ids)
        printed = self.run_shell(code) if example.language == "sh" else self.run_python(code, example.line)
        api_page.note_ids(printed, self.ids)
        if example.prints is not None:
            self.assertIsNone(api_page.difference(example.prints, printed))

    def test_A12_01_every_example_runs_and_prints_what_the_page_says(self):
        for example in api_page.examples(api_page.PAGE.read_text()):
            with self.subTest(section=example.section, line=example.line):
                self.check(example)

    def test_every_route_has_an_example_for_curl(self):
        examples = api_page.examples(api_page.PAGE.read_text())
        shell = "\n".join(e.code for e in examples if e.language == "sh").replace("\\\n", " ")
        missing = []
        for method, path in routes():
            pattern = re.escape(re.sub(r"\{\w+\}", "{id}", path)).replace(r"\{id\}", r"[^/\s'\"]+")
            lines = [line for line in shell.splitlines() if re.search(rf"{ADDRESS}{pattern}(?=[\s'\"?]|$)", line)]
            if not any(self.method(line) == method for line in lines):
                missing.append(f"{method} {path}")
        self.assertEqual(missing, [], "routes without a curl example")

    def test_every_route_has_an_example_for_the_sdk(self):
        python = "".join(e.code for e in api_page.examples(api_page.PAGE.read_text()) if e.language == "python")
        missing = [route for route, call in SDK_CALLS.items() if f"client.{call}" not in python]
        self.assertEqual(missing, [], "routes without an example for the SDK")

    @staticmethod
    def method(line):
        """The method that a line of curl sends."""
        if given := re.search(r"(?:-X|--request) (\w+)", line):
            return given[1]
        return "POST" if re.search(r"(?:^|\s)(?:-d|-F|--data\S*|--form|--json)\b", line) else "GET"


class PageReader(unittest.TestCase):
    """The reader itself, since a page that it reads wrongly would always be right."""

    def test_blocks_belong_to_what_prints_them(self):
        page = "# A\n```sh\ntrue\n```\n```json\n{}\n```\n## B\n```text\nx\n```\n```python\n1\n```\n"
        found = api_page.examples(page)
        self.assertEqual([(e.section, e.language, e.code, e.prints) for e in found],
                         [("A", "sh", "true\n", "{}\n"), ("B", "python", "1\n", None)])

    def test_what_is_printed_may_have_more_keys_and_other_times_but_no_other_values(self):
        wanted = '{"id": "file-...", "bytes": 3, "created_at": 1}'
        self.assertIsNone(api_page.difference(wanted, '{"id": "file-ab", "bytes": 3, "created_at": 7, "x": 1}'))
        for printed in ('{"id": "batch_ab", "bytes": 3, "created_at": 7}', '{"id": "file-ab", "bytes": 4, "created_at": 7}',
                        '{"id": "file-ab", "bytes": 3, "created_at": null}', '{"id": "file-ab", "bytes": 3}', "no"):
            self.assertIsNotNone(api_page.difference(wanted, printed), printed)
        self.assertIsNone(api_page.difference("done: ...", "done: 4\n"))
        self.assertIsNotNone(api_page.difference("done", "other"))

    def test_ids_are_those_printed_last(self):
        ids = {}
        first, second, output = ("file-" + digit * 32 for digit in "012")
        api_page.note_ids(f'[{{"id": "{first}"}}, {{"id":"{second}", "output_file_id": "{output}"}}]', ids)
        self.assertEqual(api_page.filled("file-.../content", ids), second + "/content")
        with self.assertRaises(AssertionError):
            api_page.filled("batch_...", ids)


if __name__ == "__main__":
    unittest.main()
