"""API keys, tenants and limits at the gateway, with the official SDK and the real programs."""

import hashlib
import json
import subprocess
import unittest

import httpx
import openai
from openai import OpenAI

from sdk_test import jsonl, request
from services import BIN, DidNotStart, Services, wait_for


def entry(key, name, tenant, **more):
    digest = hashlib.sha256(key.encode()).hexdigest()
    fields = {"key": f"sha256:{digest}", "name": name, "tenant": tenant, **more}
    return "  - " + "\n    ".join(f'{name}: "{value}"' for name, value in fields.items()) + "\n"


class KeyedServices(Services):
    """The services with API keys; the files may be changed while they run."""

    keys = {"acme": "sk-bf-acme", "other": "sk-bf-other"}
    gateway_arguments = ()

    def __init__(self, **options):
        super().__init__(**options)

    def start_gateway(self, *schedulers, arguments=(), listen="127.0.0.1:0"):
        self.key_file = self.path / "keys.yaml"
        if not self.key_file.exists():
            self.write_keys(*(entry(key, f"key-of-{tenant}", tenant) for tenant, key in self.keys.items()))
        return self.start(
            "backfill-gateway", "--listen", listen, "--scheduler", ",".join(s.address for s in schedulers),
            "--keys", self.key_file, *self.gateway_arguments, *arguments,
        )

    def write_keys(self, *entries):
        new = self.path / "keys.new"
        new.write_text("keys:\n" + "".join(entries))
        new.chmod(0o600)
        new.rename(self.key_file)

    def log(self, program="backfill-gateway"):
        return (self.path / f"{program}.log").read_text()

    def client(self, key, **options):
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, **{"max_retries": 0, **options})


class Case(unittest.TestCase):
    services_options = {}

    @classmethod
    def setUpClass(cls):
        cls.services = KeyedServices(**cls.services_options)
        cls.acme = cls.services.client(KeyedServices.keys["acme"])
        cls.other = cls.services.client(KeyedServices.keys["other"])

    @classmethod
    def tearDownClass(cls):
        log = cls.services.log() + cls.services.log("backfill-scheduler")
        codes = cls.services.stop()
        assert set(codes.values()) == {0}, f"exit codes after SIGTERM: {codes}"
        assert "sk-bf-" not in log, "a key is in a log"

    def raw(self, method, path, **options):
        return httpx.request(method, self.services.url + path, **options)

    def upload(self, client, content=jsonl([request("a")])):
        return client.files.create(file=("input.jsonl", content), purpose="batch")

    def create(self, client, file_id, **more):
        return client.batches.create(
            input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", **more)


class Keys(Case):
    ROUTES = [
        ("GET", "/v1/files"), ("POST", "/v1/files"), ("GET", "/v1/files/file-1"), ("DELETE", "/v1/files/file-1"),
        ("GET", "/v1/files/file-1/content"), ("GET", "/v1/batches"), ("POST", "/v1/batches"),
        ("GET", "/v1/batches/batch_1"), ("POST", "/v1/batches/batch_1/cancel"), ("GET", "/v1/models"),
        ("GET", "/v1/models/m"), ("POST", "/v1/chat/completions"), ("POST", "/v1/uploads"), ("GET", "/nowhere"),
        ("PATCH", "/v1/files"),
    ]

    def test_A9_03_every_route_asks_for_a_key(self):
        for method, path in self.ROUTES:
            for headers in ({}, {"authorization": "Bearer sk-bf-wrong"}, {"authorization": "Basic sk-bf-acme"}):
                with self.subTest(method=method, path=path, headers=headers):
                    answer = self.raw(method, path, headers=headers)
                    error = answer.json()["error"]
                    self.assertEqual((answer.status_code, error["code"], error["type"]),
                                     (401, "invalid_api_key", "authentication_error"))
                    self.assertEqual(answer.headers["www-authenticate"], "Bearer")
                    self.assertTrue(answer.headers["x-request-id"])

    def test_probes_need_no_key(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.raw("GET", path).status_code, 200, path)

    def test_A9_02_the_sdk_knows_what_is_wrong(self):
        self.assertEqual(self.acme.models.list().data[0].id, "simulated-model")
        with self.assertRaises(openai.AuthenticationError) as wrong:
            self.services.client("sk-bf-wrong").models.list()
        self.assertEqual(wrong.exception.code, "invalid_api_key")

    def test_A9_03_headers_of_another_organization_or_project_are_refused(self):
        for option, code in (("organization", "mismatched_organization"), ("project", "mismatched_project")):
            client = self.services.client(self.services.keys["acme"], **{option: "not/mine"})
            with self.assertRaises(openai.AuthenticationError) as refused:
                client.models.list()
            self.assertEqual(refused.exception.code, code)
        self.services.client(self.services.keys["acme"], organization="acme").models.list()

    def test_A6_06_another_tenants_object_is_a_404_as_one_that_never_was(self):
        file = self.upload(self.acme)
        batch = self.create(self.acme, file.id)
        routes = [
            ("GET", "/v1/files/{file}"), ("DELETE", "/v1/files/{file}"), ("GET", "/v1/files/{file}/content"),
            ("GET", "/v1/batches/{batch}"), ("POST", "/v1/batches/{batch}/cancel"),
            ("POST", "/v1/batches"),
        ]
        never = {"file": "file-" + "0" * 32, "batch": "batch_" + "0" * 32}
        theirs = {"file": file.id, "batch": batch.id}
        for method, path in routes:
            with self.subTest(method=method, path=path):
                answers = []
                for ids in (theirs, never):
                    body = {"input_file_id": ids["file"], "endpoint": "/v1/chat/completions",
                            "completion_window": "24h"} if path == "/v1/batches" else None
                    answer = self.raw(method, path.format(**ids), json=body,
                                      headers={"authorization": "Bearer " + self.services.keys["other"]})
                    text = answer.text
                    for name in ids.values():
                        text = text.replace(name, "ID")
                    answers.append((answer.status_code, text))
                self.assertEqual(answers[0][0], 404, answers)
                self.assertEqual(answers[0], answers[1])
        self.assertEqual(self.acme.files.retrieve(file.id).id, file.id)

    def test_A6_06_lists_show_the_tenants_own(self):
        file = self.upload(self.acme)
        batch = self.create(self.acme, file.id)
        self.assertIn(file.id, [f.id for f in self.acme.files.list()])
        self.assertIn(batch.id, [b.id for b in self.acme.batches.list()])
        self.assertNotIn(file.id, [f.id for f in self.other.files.list()])
        self.assertNotIn(batch.id, [b.id for b in self.other.batches.list()])
        mine = {f.id for f in self.acme.files.list()}
        self.assertEqual([f.id for f in self.other.files.list(after=file.id) if f.id in mine], [])

    def test_A2_10_idempotency_keys_are_the_tenants_own(self):
        batches = []
        for client in (self.acme, self.other):
            file = self.upload(client)
            batches.append(self.create(client, file.id, extra_headers={"Idempotency-Key": "same"}))
        self.assertNotEqual(batches[0].id, batches[1].id)


class Reload(Case):
    def accepted(self, key):
        return self.raw("GET", "/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == 200

    def test_changed_keys_are_in_force_without_a_restart(self):
        mine = entry(self.services.keys["acme"], "a", "acme")
        self.services.write_keys(mine, entry("sk-bf-new", "b", "acme"))
        wait_for(lambda: self.accepted("sk-bf-new"), "the new key")
        self.assertTrue(self.accepted(self.services.keys["acme"]))
        self.assertFalse(self.accepted(self.services.keys["other"]))

        self.services.key_file.write_text("keys:\n  - key: sk-bf-plain\n    name: a\n    tenant: b\n")
        wait_for(lambda: "keys.yaml:2: 'key' takes sha256:" in self.services.log(), "the complaint")
        self.assertTrue(self.accepted("sk-bf-new"))

        self.services.write_keys(mine)
        wait_for(lambda: not self.accepted("sk-bf-new"), "the end of the key that was taken away")
        self.assertEqual(self.services.log().count("cannot be used"), 1)

    def test_a_file_that_others_can_read_is_warned_about(self):
        self.services.key_file.chmod(0o644)
        wait_for(lambda: "others can read the file" in self.services.log(), "the warning")


class Tool(Case):
    def test_the_tool_makes_a_key_that_the_gateway_takes(self):
        made = subprocess.run(
            [BIN / "backfill", "keys", "create", "--tenant", "acme", "--name", "made", "--expires", "2099-01-01",
             "--file", self.services.key_file], check=True, capture_output=True, text=True)
        key = made.stdout.strip()
        self.assertRegex(key, r"^sk-bf-[0-9A-Za-z]{43}$")
        self.assertNotIn(key, self.services.key_file.read_text())
        client = self.services.client(key)

        def listed():
            try:
                return client.models.list().data
            except openai.AuthenticationError:
                return None

        wait_for(listed, "the new key")

    def test_without_a_file_the_entry_is_printed(self):
        made = subprocess.run([BIN / "backfill", "keys", "create", "--tenant", "acme", "--name", "made"],
                              check=True, capture_output=True, text=True)
        digest = hashlib.sha256(made.stdout.strip().encode()).hexdigest()
        self.assertEqual(made.stderr,
                         f'keys:\n  - key: "sha256:{digest}"\n    name: "made"\n    tenant: "acme"\n')

    def test_a_bad_name_is_refused(self):
        made = subprocess.run([BIN / "backfill", "keys", "create", "--tenant", "a b", "--name", "made"],
                              capture_output=True, text=True)
        self.assertEqual((made.returncode, made.stdout), (2, ""))
        self.assertIn("'tenant' takes 1 to 64 letters", made.stderr)


class Addresses(Case):
    def test_keys_go_over_plaintext_off_loopback_only_if_asked_for(self):
        with self.assertRaises(DidNotStart) as refused:
            self.services.start_gateway(self.services.scheduler, listen="0.0.0.0:0")
        self.assertIn("--allow-plaintext-http", str(refused.exception))
        gateway = self.services.start_gateway(
            self.services.scheduler, listen="0.0.0.0:0", arguments=("--allow-plaintext-http",))
        self.assertEqual(gateway.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
