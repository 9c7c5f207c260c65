"""`skep nginx`: what it prints."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from skep import AgentClient
from skep_nginx.command import nginx


def test_names_cannot_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are an engine's to say."""
    evil = "web\x1b]0;mine\x07\nleft out: none"
    found: dict[str, Any] = {
        "state": "live",
        "error": "",
        "sites": {"a.example": [{"container": evil, "node": "n1", "address": ""}]},
        "left_out": [{"container": evil, "id": "1", "node": "n1", "by": "reach", "reason": evil}],
    }
    monkeypatch.setattr(AgentClient, "get", lambda *_, **__: found)
    result = CliRunner().invoke(nginx, ["status"])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == 3
    assert all(line.isprintable() for line in result.output.splitlines())
