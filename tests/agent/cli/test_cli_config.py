"""`skep config`, and the files in config/."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from skep.cli import cli

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SKEP_CONFIG", "SKEP_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["config", *arguments])
    assert "Traceback" not in result.output
    return result.exit_code, result.output


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.toml")), ids=lambda path: path.name)
def test_the_ready_files_are_right(path: Path) -> None:
    assert run("check", str(path)) == (0, f"{path} is right\n")


def test_the_reference_is_current() -> None:
    path = CONFIG / "reference.toml"
    code, output = run("reference")
    assert code == 0
    assert path.read_text(encoding="utf-8") == output, f"make it anew: skep config reference > {path}"


def test_the_reference_names_every_plugin_that_comes_with_skep() -> None:
    _, output = run("reference")
    for folder in (CONFIG.parent / "plugins").iterdir():
        if (folder / "plugin.py").exists():
            assert f"[plugins.{folder.name.removeprefix('skep_')}]" in output


def test_a_part_of_the_reference() -> None:
    _, output = run("reference", "discovery")
    assert "[plugins.discovery]" in output
    assert "[plugins.docker_api]" not in output


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "skep.toml"
    path.write_text("""
[cluster]
enginse = []
heartbeat = -1
engines = ["nonsense"]
[log]
level = "loud"
[plugins.spread]
surprise = 1
[plugins.nonsense]
[plugins.port]
startup_error = "maybe"
""")
    code, output = run("check", str(path))
    assert code == 1
    for words in ("did you mean engines?", "heartbeat", "level", "startup_error"):
        assert words in output
    assert f"{path}, line 3" in output
    path.write_text(
        '[cluster]\nengines = ["nonsense"]\ndiscovery = "x://y"\n[plugins.spread]\nsurprise = 1\n[plugins.nonsense]\n'
    )
    code, output = run("check", str(path))
    assert code == 1
    for words in ("the port is missing", "no enabled plugin knows x://", "surprise", "plugin nonsense: not installed"):
        assert words in output


@pytest.mark.parametrize(
    "content", [b"=", b"\xff", b"[plugins]\nx = 1\n", b"plugins = 1\n", b"cluster = []\n", b"x = 1\n"]
)
def test_a_spoilt_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "skep.toml"
    path.write_bytes(content)
    code, output = run("check", str(path))
    assert code == 1
    assert str(path) in output


def test_certificates_are_read_while_it_checks(tmp_path: Path) -> None:
    path = tmp_path / "skep.toml"
    path.write_text('[cluster.tls]\ncert = "/nowhere/cert.pem"\nkey = "/nowhere/key.pem"\n')
    code, output = run("check", str(path))
    assert code == 1
    assert "cluster.tls: TLS: cannot read the certificate /nowhere/cert.pem" in output


def test_errors_as_json(tmp_path: Path) -> None:
    path = tmp_path / "skep.toml"
    path.write_text("[cluster]\nx = 1\n")
    code, output = run("check", "--json", str(path))
    assert code == 1
    assert len(json.loads(output)["errors"]) == 1


def test_what_counts_and_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "skep.toml"
    path.write_text('[cluster]\nheartbeat = 5\ncall_timeout = 9\n[plugins.discovery]\nservice = "http://d"\n')
    monkeypatch.setenv("SKEP_CLUSTER__CALL_TIMEOUT", "8")
    _, output = run("show", "-c", str(path), "--set", "log.level=debug", "--json")
    shown = {row["key"]: (row["value"], row["source"]) for row in json.loads(output)}
    assert shown["cluster.heartbeat"] == (5.0, f"{path}, line 2")
    assert shown["cluster.call_timeout"] == (8.0, "SKEP_CLUSTER__CALL_TIMEOUT")
    assert shown["log.level"] == ("debug", "--set log.level")
    assert shown["log.format"] == ("text", "default")
    assert shown["plugins.discovery.service"] == ("http://d", f"{path}, line 5")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "skep.toml"
    path.write_text('[plugins.x]\napi_token = "hunter2"\n')
    assert "hunter2" not in run("show", "-c", str(path))[1]
