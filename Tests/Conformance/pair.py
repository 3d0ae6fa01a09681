"""The pair and a simulated engine, for a run without a base URL."""

import hashlib
import pathlib
import sys

import httpx

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

from services import Services

from target import Exchange, Target

MODEL = "simulated-model"
KEYS = {tenant: f"sk-bf-conformance-{tenant}" for tenant in ("one", "other", "small")}
BATCHES_PER_HOUR = 3
LIMITS = f"""
tenants:
  small: {{batches_per_hour: {BATCHES_PER_HOUR}, enqueued_tokens: 100}}
default: {{requests_per_minute: 10000000, tokens_per_minute: 1000000000}}
"""


class KeyedServices(Services):
    """The services with keys, and limits that only the tenant `small` can reach."""

    def start_pair(self):
        self.limits = self.written("limits.yaml", LIMITS)
        self.scheduler_arguments = ("--limits", self.limits)
        super().start_pair()

    def start_gateway(self, *schedulers):
        keys = self.written("keys.yaml", "keys:\n" + "".join(
            f'  - key: "sha256:{hashlib.sha256(key.encode()).hexdigest()}"\n    name: {tenant}\n    tenant: {tenant}\n'
            for tenant, key in KEYS.items()))
        return self.start("backfill-gateway", "--listen", "127.0.0.1:0", "--keys", keys, "--limits", self.limits,
                          "--scheduler", ",".join(scheduler.address for scheduler in schedulers))

    def written(self, name, text):
        path = self.path / name
        path.write_text(text)
        path.chmod(0o600)
        return path


class Pair:
    """Runs while the checks do."""

    batches_per_hour = BATCHES_PER_HOUR

    def __init__(self):
        # A pace that can be seen in a stream, and that costs a batch of many lines at once little.
        self.services = KeyedServices(engine=("--model", MODEL, "--time-per-token", "5ms"))
        self.url = self.services.url
        self.witness = self.services.witness

    def target(self):
        """The pair as a server to hold against the contract."""
        return Target(self.url, api_key=KEYS["one"], other_key=KEYS["other"], model=MODEL, simulated=True,
                      witness=self.witness, pair=self)

    def small_tenant(self, target):
        """The same server for a tenant whose limits are soon reached; what it answers is noted with `target`'s."""
        small = Target(self.url, api_key=KEYS["small"], model=MODEL, simulated=True, pair=self)
        small.exchanges = target.exchanges
        return small

    def ask_engine(self, body):
        """What the engine itself answers to the bytes of a body."""
        return httpx.post(f"http://{self.services.engine_address}/v1/chat/completions", content=body).content

    def unavailable(self):
        """What a gateway answers that reaches no scheduler."""
        gateway = self.services.start(
            "backfill-gateway", "--listen", "127.0.0.1:0", "--scheduler", "127.0.0.1:1", "--log-level", "critical")
        return Exchange(httpx.get(f"http://{gateway.address}/v1/batches", timeout=60))

    def stop(self):
        codes = self.services.stop()
        assert set(codes.values()) == {0}, f"exit codes after SIGTERM: {codes}"
