"""Starts the simulator's binary and talks to its control API."""

import json
import os
import pathlib
import subprocess
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("SIMULATOR_BINARY", str(ROOT / "target" / "debug" / "simulator"))


class Simulator:
    """A simulator with one app per entry of `apps` (its options); it ends with this process at the latest."""

    def __init__(self, apps):
        options = [argument for app in apps for argument in ("--app", json.dumps(app))]
        self._process = subprocess.Popen(
            [BINARY, "--until-stdin-closes", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{BINARY} did not start; cargo build -p simulator makes it")
        started = json.loads(line)
        self.apps = started["apps"]
        self.base_url = started["base_url"]
        self.port = int(self.base_url.rsplit(":", 1)[1])

    def control(self, method, resource, body=None):
        request = urllib.request.Request(
            f"{self.base_url}/_simulator/{resource}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            text = response.read()
        return json.loads(text) if text else None

    def code(self, app_id, scope="auth_base"):
        return self.control("POST", "codes", {"app_id": app_id, "scope": scope})["code"]

    def stop(self):
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
