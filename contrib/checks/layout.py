"""Checks the layout: complete plugin folders, files and functions of a readable size, nobody's own paths.

    python -m contrib.checks.layout

Prints one line per complaint; the exit status is 1 when there is any.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILE_LINES, FUNCTION_LINES = 500, 80
PLUGIN_FILES = ("__init__.py", "README.md", "sample.toml", "py.typed")
FOREIGN = re.compile(r"(?:/home|/Users)/[a-z]\w*/")
"""Paths that exist on one person's machine only."""


def plugin_complaints(root: Path, project: dict[str, Any]) -> Iterator[str]:
    """What is missing around each plugin folder, and names in pyproject.toml without a folder."""
    entries: dict[str, str] = project["project"]["entry-points"]["skep"]
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    linted: list[str] = project["tool"]["importlinter"]["root_packages"]
    folders = sorted(path.name for path in (root / "plugins").glob("skep_*") if any(path.glob("*.*")))
    for name in folders:
        short = name.removeprefix("skep_")
        for file in PLUGIN_FILES:
            if not (root / "plugins" / name / file).is_file():
                yield f"plugins/{name}: no {file}"
        if not any((root / "tests/plugins" / short).glob("test_*.py")):
            yield f"plugins/{name}: no tests in tests/plugins/{short}"
        if not entries.get(short, "").startswith(f"{name}:"):
            yield f"plugins/{name}: no entry point {short} in pyproject.toml"
        if f"plugins/{name}" not in packages:
            yield f"plugins/{name}: not in the wheel's packages in pyproject.toml"
        if name not in linted:
            yield f"plugins/{name}: not in import-linter's root_packages in pyproject.toml"
    for name in sorted({f"skep_{short}" for short in entries} - set(folders)):
        yield f"pyproject.toml: an entry point for plugins/{name}, which is not there"


def size_complaints(path: Path, text: str) -> Iterator[str]:
    """Files and functions that are too long to be read at once."""
    if (lines := text.count("\n")) > FILE_LINES:
        yield f"{path}: {lines} lines; at most {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines; at most {FUNCTION_LINES}"


def path_complaints(path: Path, text: str, root: Path) -> Iterator[str]:
    """Places that name where somebody keeps this checkout, or a person's home."""
    own = str(root) if len(root.parts) > 2 else None
    for number, line in enumerate(text.splitlines(), 1):
        if FOREIGN.search(line) or (own and own in line):
            yield f"{path}:{number}: names a path of one machine"


def complaints(root: Path = ROOT) -> Iterator[str]:
    """Everything that is wrong."""
    yield from plugin_complaints(root, tomllib.loads((root / "pyproject.toml").read_text()))
    for path in tracked(root):
        try:
            text = (root / path).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        yield from path_complaints(path, text, root)
        if path.suffix == ".py":
            yield from size_complaints(path, text)


def tracked(root: Path) -> list[Path]:
    """The files that git knows or would add."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listing.split("\0") if name]


if __name__ == "__main__":
    found = list(complaints())
    print("\n".join(found), end="\n" if found else "")
    sys.exit(bool(found))
