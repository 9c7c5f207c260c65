"""Docker's own command line, and Compose's where it is at hand, have exactly the values."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep import RequestError, Values, variables
from skep_envfile.formats import fit, write
from skep_envfile.values import Gathered


class Engine(ThreadingHTTPServer):
    """Takes any create request, and keeps the environment that it asks for."""

    env: list[str]


class Handler(BaseHTTPRequestHandler):
    """The three calls of `docker create`."""

    server: Engine

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        self._answer(200, b"OK")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.env = body["Env"] or []
        self._answer(201, b'{"Id": "%s", "Warnings": []}' % (b"5" * 64))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Engine]:
    with Engine(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def created(dockerd: Engine, file: Path, data: bytes) -> list[str]:
    """The environment that `docker create --env-file` sends."""
    file.write_bytes(data)
    command = ["docker", "-H", f"tcp://127.0.0.1:{dockerd.server_port}", "create", "--env-file", str(file), "nginx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dockerd.env


BYTES = st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape"))
KEYS = st.text(max_size=12) | BYTES.map(lambda text: text[:12])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(values=st.dictionaries(KEYS, BYTES | st.text(max_size=40), max_size=6))
def test_any_bytes_come_through_as_they_were_or_are_refused_by_name(
    dockerd: Engine, tmp_path: Path, values: dict[str, str]
) -> None:
    kept = {}
    for key, value in values.items():
        ((name, value),) = variables(Values({key: value})).items()
        try:
            write(fit(Gathered({name: value}), "docker", "refuse").values, "docker")
        except RequestError as error:
            refusal = str(error)
        else:
            refusal = ""
            kept[name] = value
        assert not refusal or refusal.startswith(f"{name} ")
    env = created(dockerd, tmp_path / "it.env", write(kept, "docker", "a title"))
    assert sorted(env) == sorted(f"{name}={value}" for name, value in kept.items())


def test_a_value_that_would_add_a_variable_is_not_written(dockerd: Engine, tmp_path: Path) -> None:
    """What the refusal is for: written as it is, it would add one, and take another from the host."""
    env = created(dockerd, tmp_path / "it.env", b"A=1\nB=2\nPATH\n")
    assert env[:2] == ["A=1", "B=2"]
    assert env[2].startswith("PATH=/")
    with pytest.raises(RequestError, match="A has several lines"):
        fit(Gathered({"A": "1\nB=2\nPATH"}), "docker", "refuse")


def test_compose_1_has_the_values_but_for_those_that_the_readme_names(tmp_path: Path) -> None:
    chosen = random.Random(7)
    letters = ["$HOME", "'", '"', "\\", " #", "=", "é", " ", "\t", "%s", "`x`", "{", "}", "x", "\n"]
    values = {f"V{number}": "".join(chosen.choices(letters, k=chosen.randrange(7))) for number in range(200)}
    values = {
        name: value.rstrip("\\").replace("\\\\", "\\")
        for name, value in values.items()
        if "$" not in value or not set(value) & {"'", "\n", "{"}
    }
    values = {name: value for name, value in values.items() if "\\\\" not in value and not value.endswith("\\")}
    (tmp_path / "it.env").write_bytes(write(values, "compose", "a title"))
    (tmp_path / "docker-compose.yml").write_text('version: "3"\nservices: {it: {image: it, env_file: it.env}}\n')
    if compose := shutil.which("docker-compose"):
        done = subprocess.run([compose, "config"], cwd=tmp_path, capture_output=True, text=True, check=True)
        found = yaml.safe_load(done.stdout)["services"]["it"]["environment"]
        assert {name: str(value).replace("$$", "$") for name, value in found.items()} == values
