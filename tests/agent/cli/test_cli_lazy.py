"""What the command line imports, and what it does not: each command pays for itself alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from skep.cli import cli

HEAVY = ("aiohttp", "asyncio", "msgspec", "pluggy", "ssl", "http.client", "importlib.metadata")


def modules(*arguments: str) -> set[str]:
    """The modules that are imported when the command has run."""
    program = f"""
import sys
from skep.__main__ import main
sys.argv = ["skep", *{list(arguments)!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + " ".join(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30)
    return set(done.stdout.rpartition("\n\n")[2].split() or done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["-h"]])
def test_version_and_help_import_nothing_heavy(arguments: list[str]) -> None:
    imported = modules(*arguments)
    assert "skep.cli.main" in imported
    assert not imported.intersection(HEAVY)


@pytest.mark.parametrize("command", ["nodes", "ps", "explain", "plugins", "events", "health", "create", "completion"])
def test_commands_that_ask_an_agent_import_no_server(command: str) -> None:
    imported = modules(command, "--help")
    assert not imported.intersection({"aiohttp", "asyncio", "msgspec", "pluggy"})


def test_listing_a_fixed_list_needs_no_http() -> None:
    assert "aiohttp" not in modules("list", "nodes://10.0.0.1:2375")


def test_help_names_plugins_commands() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert "\n  nginx " in shown
    assert "nginx, node and so on do" in " ".join(shown.split())
