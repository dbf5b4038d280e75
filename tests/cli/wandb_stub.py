"""A stand-in for W&B's server: all requests of `wandb sweep`, `wandb agent` and their runs.

It keeps one sweep, a grid, and hands its runs out; one of which nothing is heard any more has
crashed, and is handed out again.
"""

import gzip
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, product
from typing import Any

import yaml

SWEEP, ENTITY, PROJECT = "abcd1234", "somebody", "memory-cores"
#: As long as a real one, or W&B refuses it before it asks anybody.
KEY = "0123456789" * 4
FILE_STREAM = re.compile(r"/files/[^/]+/[^/]+/([^/]+)/file_stream")
OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


@dataclass
class Run:
    """The server's record of a run."""

    values: dict[str, Any]
    state: str = "pending"
    #: All of its past states.
    states: list[str] = field(default_factory=list)
    heard: float = 0.0
    #: Metrics by name, as last logged.
    logged: dict[str, Any] = field(default_factory=dict)
    agents: list[str] = field(default_factory=list)

    def become(self, state: str) -> None:
        """Change the state."""
        self.state = state
        self.states.append(state)


class Sweeps:
    """Answers to requests.

    Args:
        patience: seconds after which a run that is silent has crashed.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.config = ""
        self.runs: dict[str, Run] = {}
        self.lock = threading.Lock()
        self._agents = count(1)

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return data for a GraphQL operation; empty for those that clients can do without."""
        answers = {
            "UpsertSweep": self.create,
            "SweepWithRuns": lambda given: {"project": {"sweep": self.sweep()}},
            "CreateAgent": lambda given: {
                "createAgent": {"agent": {"id": f"agent{next(self._agents)}"}}
            },
            "Heartbeat": self.heartbeat,
            "UpsertBucket": self.upsert_run,
            "RunResumeStatus": lambda given: {"model": None},
            "CreateRunFiles": lambda given: {
                # Nothing to upload; without an answer, a run would ask for minutes.
                "createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": []}
            },
            "Viewer": lambda given: {"viewer": VIEWER},
        }
        with self.lock:
            return answers.get(operation, lambda given: {})(given)

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take a sweep's configuration."""
        self.config = given["config"]
        parameters = yaml.safe_load(self.config)["parameters"]
        combinations = product(*(p["values"] for p in parameters.values()))
        self.runs = {
            f"run{n}": Run(dict(zip(parameters, values, strict=True)))
            for n, values in enumerate(combinations)
        }
        return {"upsertSweep": {"sweep": self.sweep(), "configValidationWarnings": []}}

    def sweep(self) -> dict[str, Any]:
        """Return the sweep, as agents request it."""
        project = {"id": "p", "name": PROJECT, "entity": {"id": "e", "name": ENTITY}}
        return {
            "id": SWEEP,
            "name": SWEEP,
            "config": self.config,
            "runs": {"edges": []},
            "project": project,
        }

    def heartbeat(self, given: dict[str, Any]) -> dict[str, Any]:
        """Handle an agent's heartbeat with its runs, and assign it one if it has none."""
        run_state = json.loads(given["runState"])
        for name in run_state:
            self.hear(self.runs[name])
        self.find_crashed()
        commands = [] if run_state else self.commands(given["id"])
        return {"agentHeartbeat": {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}}

    def commands(self, agent: str) -> list[dict[str, Any]]:
        """Tell an idle agent what to do next."""
        if all(run.state in ("finished", "failed") for run in self.runs.values()):
            return [{"type": "exit"}]
        for name, run in self.runs.items():
            if run.state in ("pending", "crashed"):
                run.become("running")
                run.agents.append(agent)
                self.hear(run)
                values = {key: {"value": value} for key, value in run.values.items()}
                return [{"type": "run", "run_id": name, "args": values, "program": "cli.py"}]
        return []

    def find_crashed(self) -> None:
        """Mark runs without a heartbeat as crashed."""
        for run in self.runs.values():
            if run.state == "running" and time.monotonic() > run.heard + self.patience:
                run.become("crashed")

    def hear(self, run: Run) -> None:
        """Record that a run is alive."""
        run.heard = time.monotonic()

    def upsert_run(self, given: dict[str, Any]) -> dict[str, Any]:
        """Handle a new run."""
        self.hear(self.runs[given["name"]])
        bucket = {
            "id": given["name"],
            "name": given["name"],
            "displayName": given.get("displayName"),
            "sweepName": SWEEP,
            "project": self.sweep()["project"],
            "historyLineCount": 0,
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def stream(self, name: str, sent: dict[str, Any]) -> None:
        """Handle a run's metrics and its end."""
        with self.lock:
            run = self.runs[name]
            self.hear(run)
            history = sent.get("files", {}).get("wandb-history.jsonl", {})
            for line in history.get("content", []):
                run.logged |= json.loads(line)
            if sent.get("complete"):
                run.become("failed" if sent.get("exitcode") else "finished")


VIEWER = {
    "id": "u",
    "username": ENTITY,
    "entity": ENTITY,
    "flags": "{}",
    "teams": {"edges": []},
}


class Handler(BaseHTTPRequestHandler):
    """Reads requests for ``Sweeps``."""

    protocol_version = "HTTP/1.1"
    sweeps: Sweeps

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if found := FILE_STREAM.match(self.path):
            self.sweeps.stream(found[1], json.loads(body))
            self.reply({})
        elif self.path == "/graphql":
            sent = json.loads(body)
            found = OPERATION.search(sent["query"])
            operation = found[1] if found else ""
            self.reply({"data": self.sweeps.answer(operation, sent.get("variables") or {})})
        else:
            self.reply({})  # how W&B itself fares

    def reply(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(patience: float) -> Iterator[tuple[str, Sweeps]]:
    """Serve on a free port; yield the address and the server's state."""
    sweeps = Sweeps(patience)
    handler = type("BoundHandler", (Handler,), {"sweeps": sweeps})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sweeps
        finally:
            server.shutdown()
