"""Where an agent answers that was not told: a default place, or a free port where those are taken."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from skep.cli import client
from skep.cli.run import free_control


def test_the_next_place_is_taken_where_one_is_not_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        port = tcp.getsockname()[1]
        path = tmp_path / "skep.sock"
        monkeypatch.setattr(client, "DEFAULT_AGENTS", (f"unix://{path}", f"tcp://127.0.0.1:{port}"))
        assert free_control() == f"unix://{path}"
        unix.bind(str(path))
        assert free_control() == f"unix://{path}", "nobody listens there"
        unix.listen()
        assert free_control() == "tcp://127.0.0.1:0"
        tcp.close()
        assert free_control() == f"tcp://127.0.0.1:{port}"


def test_a_folder_that_is_not_there_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DEFAULT_AGENTS", (f"unix://{tmp_path}/none/s", "tcp://127.0.0.1:0"))
    assert free_control() == "tcp://127.0.0.1:0"
