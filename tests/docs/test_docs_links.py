"""Everything written: its links lead somewhere, and the commands and flags that it names are there.

That names, hooks and settings are described is tested with them, in tests/agent.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from skep.cli import cli
from tests.docs.readme import ROOT

PAGES = sorted(
    Path(name)
    for name in subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, text=True
    ).split()
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """What GitHub calls the page's titles."""
    titles = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose((ROOT / page).read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        assert not anchor or anchor in anchors(target.read_text()), f"{page} links to {link}, a title that is not there"


def commands(text: str) -> list[list[str]]:
    """The skep commands in indented blocks, fences without a language of their own, and between backticks; as words."""
    plain = prose(text)
    code = re.findall(r"`([^`\n]+)`", plain) + re.findall(r"(?:^    .*\n)+", plain, re.MULTILINE)
    code += [body for language, body in _FENCE.findall(text) if language in ("", "sh", "bash", "console")]
    found = re.findall(r"(?:^|[(;&|]|do) *skep ([^\n#&;|)]*)", "\n".join(code).replace("\\\n", " "), re.MULTILINE)
    return [each.split(" -- ")[0].split() for each in found]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_exist(page: Path) -> None:
    for words in commands((ROOT / page).read_text()):
        command: click.Command = cli
        context = click.Context(cli)
        while isinstance(command, click.Group) and words and re.fullmatch("[a-z][a-z-]*", words[0]):
            name = words.pop(0)
            found = command.get_command(context, name)
            assert found is not None, f"{page}: there is no command skep {name}"
            command = found
        flags = {flag for parameter in command.params for flag in parameter.opts} | {"--help", "--version"}
        for word in words:
            flag = word.split("=")[0]
            assert not flag.startswith("--") or flag in flags, f"{page}: {command.name} has no flag {flag}"


def test_the_check_reads_the_commands() -> None:
    """Of blocks, loops and substitutions; not of prose."""
    text = "skep is `skep nodes -A URL`.\n\n    a=$(skep create --wait 1s)\n    skep run \\\n        -c FILE &\n    x; do skep join a\n"
    assert commands(text) == [["nodes", "-A", "URL"], ["create", "--wait", "1s"], ["run", "-c", "FILE"], ["join", "a"]]
