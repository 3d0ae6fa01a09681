"""The server under test, and what it is sent."""

import json
import socket
import threading
import urllib.parse

import httpx
import openai

from outcomes import Failed, expect

ENDPOINT = "/v1/chat/completions"
TIMEOUT_SECONDS = 60
HEAD_SECONDS = 5


class Exchange:
    """A request that was answered."""

    def __init__(self, response):
        self.method = response.request.method
        self.path = response.request.url.path
        self.status = response.status_code
        self.headers = dict(response.headers)
        self.content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.body = None
        if self.content_type == "application/json":
            self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.method} {self.path} -> {self.status}"


class Target:
    """One base URL with a key and a model.

    `simulated` says that the engine behind it is the project's simulator, which faults can be asked of; `witness` is
    the ledger of that engine. Without `strict` the SDK takes what is not of its types, so that one odd word of a server
    does not fail all items.
    """

    def __init__(self, base_url, *, api_key="none", other_key=None, model="simulated-model", simulated=False,
                 witness=None, pair=None, strict=True):
        self.origin = base_url.rstrip("/").removesuffix("/v1")
        self.api_key, self.other_key, self.model = api_key, other_key, model
        self.simulated, self.witness, self.pair = simulated, witness, pair
        self.strict = strict
        self.exchanges = []
        self.lock = threading.Lock()
        self.http = self.plain_client(api_key)
        self.sdk = self.sdk_client(api_key)

    def plain_client(self, key):
        """A client for what the SDK does not send."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.origin, timeout=TIMEOUT_SECONDS, headers=headers,
                            event_hooks={"response": [self.note]})

    def sdk_client(self, key, retries=0):
        """The official SDK, which when strict also holds every answer against its own types."""
        return openai.OpenAI(
            base_url=self.origin + "/v1", api_key=key, max_retries=retries, _strict_response_validation=self.strict,
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [self.note]}, timeout=TIMEOUT_SECONDS))

    def note(self, response):
        exchange = Exchange(response)
        with self.lock:
            self.exchanges.append(exchange)

    def close(self):
        self.http.close()
        self.sdk.close()

    # -- What is sent

    def line(self, custom_id, prompt="Hello", url=ENDPOINT, **body):
        """One line of an input file."""
        return {"custom_id": custom_id, "method": "POST", "url": url, "body": self.question(prompt, **body)}

    def question(self, prompt="Hello", **body):
        return {"model": self.model, "messages": [{"role": "user", "content": prompt}], **body}

    def refused(self, custom_id):
        """A line that the engine refuses with a 4xx."""
        if self.simulated:
            return self.line(custom_id, "[[fault:status;code=422]]")
        return self.line(custom_id, max_tokens=-1)

    def upload(self, content, name="input.jsonl", purpose="batch", **more):
        return self.sdk.files.create(file=(name, content), purpose=purpose, **more)

    def create(self, file_id, **more):
        return self.sdk.batches.create(**{
            "input_file_id": file_id, "endpoint": ENDPOINT, "completion_window": "24h", **more})

    def post_batch(self, body, **options):
        """A create as it stands, which the SDK might refuse to send."""
        return self.http.post("/v1/batches", json=body, **options)

    def form(self, *parts, content_type="multipart/form-data; boundary=x7", **options):
        """Sends a form of parts (name, file name or None, content)."""
        body = b""
        for name, filename, content in parts:
            file = f'; filename="{filename}"' if filename is not None else ""
            body += f'--x7\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
        return self.http.post("/v1/files", content=body + b"--x7--\r\n", headers={"content-type": content_type},
                              **options)

    def post_head(self, path, content_length):
        """The status of a form of which only the head is sent; None when the connection is not plain HTTP."""
        address = urllib.parse.urlsplit(self.origin)
        if address.scheme != "http":
            return None
        head = (f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\nauthorization: Bearer {self.api_key}\r\n"
                f"content-type: multipart/form-data; boundary=x\r\ncontent-length: {content_length}\r\n\r\n--x\r\n")
        with socket.create_connection((address.hostname, address.port or 80), timeout=HEAD_SECONDS) as connection:
            connection.sendall(head.encode())
            try:
                answer = connection.recv(4_096).decode()
            except TimeoutError:
                raise Failed(f"no answer within {HEAD_SECONDS} s: the body is waited for") from None
        return int(answer.split(" ")[1]) if answer.startswith("HTTP/1.") else answer[:40]

    # -- What is read

    def batch(self, batch_id):
        """A batch as it is answered, key for key."""
        answer = self.http.get(f"/v1/batches/{batch_id}")
        expect(answer.status_code == 200, f"GET /v1/batches/{batch_id} -> {answer.status_code} {answer.text}")
        return answer.json()

    def lines(self, file_id):
        """The objects of an output or error file; none for None."""
        if file_id is None:
            return []
        text = self.sdk.files.content(file_id).read().decode()
        return [json.loads(line) for line in text.splitlines()]


def jsonl(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def error_of(answer, status, param=None, code=None):
    """The error object of an answer, which must have the status, and the param and code when they are given."""
    statuses = status if isinstance(status, tuple) else (status,)
    request = f"{answer.request.method} {answer.request.url.path}"
    expect(answer.status_code in statuses, f"{request} -> {answer.status_code} {answer.text[:200]}, not {status}")
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    expect(isinstance(error, dict), f"{answer.status_code} without an error object: {answer.text[:200]!r}")
    if param is not None:
        expect(error.get("param") == param, f"param {error.get('param')!r}, not {param!r}: {error}")
    if code is not None:
        expect(error.get("code") == code, f"code {error.get('code')!r}, not {code!r}: {error}")
    return error
