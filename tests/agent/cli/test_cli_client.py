"""`AgentClient` against servers that are no agent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from skep import AgentClient
from skep.cli import cli
from skep.errors import NotFoundError, RequestError, SettingsError, TemporaryError

Answer = Callable[[bytes], str]


@pytest.fixture
def answer() -> Iterator[Answer]:
    """A server that answers each connection with the same bytes; returns its URL."""
    listening: list[tuple[socket.socket, threading.Thread]] = []

    def start(data: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        listening.append((server, thread))
        return f"tcp://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server, thread in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def test_it_decodes_what_an_agent_says(answer: Answer) -> None:
    assert AgentClient(answer(http(b'{"a": [1]}'))).get("/x") == {"a": [1]}


def test_it_yields_lines_as_they_come(answer: Answer) -> None:
    assert list(AgentClient(answer(http(b'{"n": 1}\n\n{"n": 2}\n'))).lines("/events")) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "is no agent"),
        (b"", "is no agent"),
        (http(b"<html>"), "not JSON"),
        (http(b"[" * 100_000), "not JSON"),
        (http(b"{}")[:-1], "broke its answer off"),
    ],
)
def test_what_is_no_agent_is_named(answer: Answer, data: bytes, words: str) -> None:
    with pytest.raises(TemporaryError, match=words):
        AgentClient(answer(data)).get("/x")


@pytest.mark.parametrize("command", ["nodes", "ps", "events", "health"])
def test_a_discovery_service_where_an_agent_was_looked_for_is_named(answer: Answer, command: str) -> None:
    """They have one port, 7070."""
    url = answer(http(b'{"message": "404: Not Found"}', "404 Not Found"))
    result = CliRunner().invoke(cli, [command, "--agent", url])
    assert result.exit_code == 1
    assert f"what listens at {url} is no agent" in result.output
    assert "start one (skep run, manage or demo)" in result.output


def test_a_refusal_has_the_agents_words(answer: Answer) -> None:
    with pytest.raises(NotFoundError, match="no such thing"):
        AgentClient(answer(http(b'{"message": "no such thing"}', "404 Not Found"))).get("/x")
    with pytest.raises(RequestError, match="/x: status 500"):
        AgentClient(answer(http(b"oops", "500 No"))).get("/x")
    assert AgentClient(answer(http(b'{"a": 1}', "503 No"))).get("/x", accept=(503,)) == {"a": 1}


def test_an_agent_that_hangs_is_left_after_the_timeout(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with pytest.raises(TemporaryError, match="does not answer within"):
            AgentClient(f"unix://{tmp_path}/s", timeout=0.1).get("/x")


def test_the_environment_names_the_agent(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEP_AGENT", answer(http(b"1")))
    client = AgentClient()
    assert client.named
    assert client.get("/x") == 1


@pytest.mark.parametrize(
    "url", ["unix://relative", "ftp://h", "tcp://", "tcp://h:port", "tcp://h:1/path", "http://[::1"]
)
def test_a_wrong_address_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="address of an agent"):
        AgentClient(url)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/own/v2/"])
def test_a_discovery_service_may_have_a_path(answer: Answer, path: str) -> None:
    service = answer(http(b"abc123")).replace("tcp", "http") + path
    assert CliRunner().invoke(cli, ["create", "--service", service]).output == "abc123\n"


def test_what_is_no_token_is_not_printed_as_one(answer: Answer) -> None:
    result = CliRunner().invoke(cli, ["create", "--service", answer(http(b"<html>\x1b[2J"))])
    assert result.exit_code == 1
    assert "not a token" in result.output
    result = CliRunner().invoke(cli, ["create", "--service", answer(http(b"{}", "404 Not Found"))])
    assert "enable its plugin discovery" in result.output


def test_the_address_is_the_one_that_answered(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = answer(http(b"{}"))
    monkeypatch.setattr("skep.cli.client.DEFAULT_AGENTS", ("unix:///nowhere/skep.sock", url))
    monkeypatch.delenv("SKEP_AGENT", raising=False)
    client = AgentClient()
    assert client.address == f"unix:///nowhere/skep.sock or {url}"
    client.get("/health")
    assert client.address == url
