"""TLS on both sides of the gateway, with real certificates, programs and clients (T-26, G6-10)."""

import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

import httpx
import openai

from raw_http import connect, everything
from services import BIN, Program, Services, wait_for

CERTIFICATES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "certificates.sh"
LINE = '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "simulated-model", "messages": []}}'


def make_certificates(directory, *names):
    subprocess.run([CERTIFICATES, directory, *names], check=True, env={**os.environ, "HOSTS": "localhost 127.0.0.1"})


class SecureServices(Services):
    """The services with TLS between gateway and scheduler, and HTTPS."""

    def __init__(self, *, gateway=()):
        self.certificates_directory = tempfile.TemporaryDirectory(prefix="backfill-tls-")
        self.certificates = pathlib.Path(self.certificates_directory.name)
        make_certificates(self.certificates, "scheduler", "gateway", "service/example", "www")
        super().__init__(gateway=gateway, scheduler=(
            "--tls-certificate", self.file("scheduler.pem"), "--tls-key", self.file("scheduler.key"),
            "--tls-client-ca", self.file("ca.pem"),
        ))

    def file(self, name):
        return self.certificates / name

    def start_gateway(self, *schedulers, name="gateway"):
        return self.start(
            "backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", ",".join(s.address for s in schedulers),
            "--scheduler-ca", self.file("ca.pem"), "--scheduler-certificate", self.file(f"{name}.pem"),
            "--scheduler-key", self.file(f"{name}.key"), "--scheduler-name", "spiffe://backfill/scheduler",
            "--tls-certificate", self.file("www.pem"), "--tls-key", self.file("www.key"), *self.gateway_arguments,
        )

    @property
    def url(self):
        return f"https://{self.gateway.address}"

    def context(self):
        return ssl.create_default_context(cafile=self.file("ca.pem"))

    def client(self):
        """The official SDK, with nothing special but the authority."""
        return openai.OpenAI(
            base_url=f"{self.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(verify=self.context()))

    def connect(self, context):
        host, port = self.gateway.address.rsplit(":", 1)
        return context.wrap_socket(socket.create_connection((host, int(port)), 10), server_hostname=host)

    def stop(self):
        codes = super().stop()
        self.certificates_directory.cleanup()
        return codes


def models(connection):
    """The status line of an answer to a small request on this connection."""
    connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    return everything(connection).split(b"\r\n")[0]


class TLS(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.services = SecureServices()
        cls.addClassCleanup(cls.services.stop)

    def test_G6_10_the_official_client_runs_a_batch_over_https_and_mutual_tls(self):
        client = self.services.client()
        file = client.files.create(file=("in.jsonl", f"{LINE}\n".encode()), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        batch = wait_for(
            lambda: (found := client.batches.retrieve(batch.id)).status in ("completed", "failed") and found, "the batch")
        self.assertEqual((batch.status, batch.request_counts.completed), ("completed", 1))
        self.assertIn('"custom_id":"a"', client.files.content(batch.output_file_id).text.replace(": ", ":"))

    def test_G6_10_a_large_upload_and_download_come_back_as_they_were(self):
        client = self.services.client()
        content = b"".join(b"%09d %s\n" % (number, b"x" * 90) for number in range(100_000))
        file = client.files.create(file=("large.txt", content), purpose="user_data")
        self.assertEqual(file.bytes, len(content))
        self.assertEqual(client.files.content(file.id).content, content)

    def test_G6_10_http_1_1_is_agreed_also_with_a_client_that_prefers_http_2(self):
        context = self.services.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with self.services.connect(context) as connection:
            self.assertEqual((connection.version(), connection.selected_alpn_protocol()), ("TLSv1.3", "http/1.1"))
            self.assertEqual(models(connection), b"HTTP/1.1 200 OK")
        context.set_alpn_protocols(["h2"])
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no application protocol"):
            self.services.connect(context)

    def test_T_26_a_client_without_the_authority_and_one_of_tls_1_2_are_refused(self):
        with self.assertRaisesRegex(ssl.SSLError, "CERTIFICATE_VERIFY_FAILED"):
            self.services.connect(ssl.create_default_context())
        old = self.services.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaisesRegex(ssl.SSLError, "(?i)protocol version"):
            self.services.connect(old)

    def test_T_26_plaintext_to_the_https_port_gets_no_answer(self):
        with connect(self.services.gateway) as connection:
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = everything(connection)
            self.assertFalse(answer.startswith(b"HTTP"), answer)

    def test_G6_10_sessions_are_resumed(self):
        context = self.services.context()
        with self.services.connect(context) as first:
            models(first)
            session = first.session
            self.assertTrue(session.has_ticket)
        host, port = self.services.gateway.address.rsplit(":", 1)
        plain = socket.create_connection((host, int(port)), 10)
        with context.wrap_socket(plain, server_hostname=host, session=session) as second:
            self.assertEqual(models(second), b"HTTP/1.1 200 OK")
            self.assertTrue(second.session_reused)

    def test_design_3_a_gateway_with_the_certificate_of_a_service_may_not_speak_for_its_users(self):
        wrong = self.services.start_gateway(self.services.scheduler, name="service-example")
        self.addCleanup(wrong.terminate)
        with httpx.Client(verify=self.services.context()) as client:
            answer = client.get(f"https://{wrong.address}/v1/files")
        self.assertEqual(answer.status_code, 500, answer.text)
        self.assertEqual(answer.json()["error"]["type"], "server_error")
        self.assertNotIn("spiffe", answer.text)
        log = (self.services.path / "backfill-gateway.log").read_text()
        self.assertIn("spiffe://backfill/service/example may not speak for another tenant", log)


class Reload(unittest.TestCase):
    def test_G6_10_a_renewed_certificate_is_taken_without_a_restart(self):
        services = SecureServices()
        self.addCleanup(services.stop)

        def shown():
            with services.connect(services.context()) as connection:
                return connection.getpeercert()["serialNumber"]

        before = shown()
        for suffix in ("pem", "key"):
            services.file(f"www.{suffix}").rename(services.file(f"old.{suffix}"))
        make_certificates(services.certificates, "www")
        wait_for(lambda: shown() != before, "the new certificate")
        services.client().models.list()


class Configuration(unittest.TestCase):
    def test_G6_10_tls_1_2_is_served_if_the_settings_say_so(self):
        services = SecureServices(gateway=("--tls-minimum-version", "1.2"))
        self.addCleanup(services.stop)
        old = services.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with services.connect(old) as connection:
            self.assertEqual(connection.version(), "TLSv1.2")
            self.assertEqual(models(connection), b"HTTP/1.1 200 OK")

    def test_a_gateway_without_tls_says_that_the_scheduler_does_not_answer(self):
        services = SecureServices()
        self.addCleanup(services.stop)
        plain = services.start(
            "backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", services.scheduler.address)
        answer = httpx.get(f"http://{plain.address}/v1/files")
        self.assertEqual((answer.status_code, answer.json()["error"]["type"]), (503, "server_error"))

    def refusal(self, program, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            data = ["--data", directory] if program == "backfill-scheduler" else []
            run = subprocess.run([BIN / program, *data, *arguments], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(run.returncode, 0)
        return run.stderr

    def test_design_3_plaintext_off_loopback_is_refused_unless_a_flag_says_so(self):
        self.assertIn("--allow-plaintext", self.refusal("backfill-scheduler", "--listen", "0.0.0.0:0"))
        self.assertIn("--allow-plaintext", self.refusal("backfill-gateway", "--scheduler", "10.0.0.1:7070"))
        with tempfile.TemporaryDirectory() as directory:
            scheduler = Program(
                "backfill-scheduler", "--listen", "0.0.0.0:0", "--data", directory, "--allow-plaintext",
                log=pathlib.Path(directory) / "log")
            self.assertEqual(scheduler.terminate(), 0)

    def test_certificates_that_cannot_be_used_stop_the_program_with_the_reason(self):
        files = ["--tls-certificate", "/nowhere.pem", "--tls-key", "/nowhere.key", "--tls-client-ca", "/nowhere.pem"]
        self.assertIn("/nowhere", self.refusal("backfill-scheduler", "--listen", "127.0.0.1:0", *files))
        self.assertIn("/nowhere", self.refusal("backfill-gateway", "--listen", "127.0.0.1:0", *files[:4]))


class Linked(unittest.TestCase):
    """One TLS library everywhere: the system's."""

    @unittest.skipUnless(shutil.which("nm"), "needs nm")
    def test_no_program_holds_another_tls_library(self):
        for name in ("backfill", "backfill-gateway", "backfill-scheduler", "backfill-engine-simulator"):
            symbols = subprocess.run(["nm", BIN / name], capture_output=True, text=True, check=True).stdout
            for other in ("CNIOBoringSSL", "HummingbirdTLS", "HummingbirdHTTP2", "HummingbirdTesting"):
                self.assertNotIn(other, symbols, name)
        libraries = subprocess.run(["ldd", BIN / "backfill-gateway"], capture_output=True, text=True, check=True).stdout
        self.assertIn("libssl.so.3", libraries)
