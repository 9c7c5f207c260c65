"""`skep nginx`: what it prints."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from skep import AgentClient, NotFoundError
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


def test_certificates_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {
        "state": "live",
        "error": "",
        "sites": {},
        "left_out": [],
        "certificates": {
            "usable": [{"name": "a", "names": ["a.example", "b.example"], "issuer": "CA\x1b[2J", "expires": 86400.0}],
            "problems": {"c.crt": "it has expired: put a newer one in its place"},
            "acme": [
                {"names": ["d.example"], "state": "failing", "reason": "d.example: nobody answers"},
                {"names": ["e.example"], "state": "valid", "reason": ""},
            ],
            "acme_refused": {"web": "LETSENCRYPT_HOST has 'f.example': it does not serve it"},
        },
    }
    monkeypatch.setattr(AgentClient, "get", lambda *_, **__: found)
    shown = CliRunner().invoke(nginx, ["status"]).output.splitlines()
    assert shown[0] == "live"
    assert shown[1].startswith("certificate: a  a.example, b.example  of CA")
    assert shown[1].endswith("until 1970-01-02 00:00 UTC")
    assert shown[1].isprintable()
    assert shown[2:] == [
        "certificate: c.crt: it has expired: put a newer one in its place",
        "acme: d.example  failing: d.example: nobody answers",
        "acme: e.example  valid",
        "acme: web: LETSENCRYPT_HOST has 'f.example': it does not serve it",
    ]


@pytest.mark.parametrize(("states", "code"), [(["starting", "live"], 0), (["failing", "live"], 0), (["starting"], 1)])
def test_waiting_until_the_last_change_is_live(monkeypatch: pytest.MonkeyPatch, states: list[str], code: int) -> None:
    answers = [{"state": state, "error": "", "sites": {}, "left_out": []} for state in states]
    monkeypatch.setattr(AgentClient, "get", lambda *_, **__: answers.pop(0) if len(answers) > 1 else answers[0])
    result = CliRunner().invoke(nginx, ["status", "--wait", "1s"])
    assert result.exit_code == code, result.output
    assert result.output == f"{states[-1]}\n"


def test_an_agent_without_the_plugin_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: Any, **__: Any) -> Any:
        raise NotFoundError("404: Not Found")

    monkeypatch.setattr(AgentClient, "get", get)
    result = CliRunner().invoke(nginx, ["status", "--name", "edge", "-A", "tcp://127.0.0.1:7071"])
    assert "the agent at tcp://127.0.0.1:7071 has no plugin edge" in str(result.exception)
    assert "a table [plugins.edge]; -A URL asks another agent" in str(result.exception)
