"""Values as variables, and as a file that docker's own command line reads back as it was meant."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ConflictError, RequestError, env_file, variables
from skep.testing import EmbeddedEngine


def test_names_of_variables() -> None:
    values = {"SubnetId.a": "1", "db/url": "2", "9lives": "3", "List": ["x", "y"], "å": "4"}
    assert variables(values) == {"List": "x,y", "SubnetId_a": "1", "_": "4", "_9lives": "3", "db_url": "2"}


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ConflictError, match=r"a\.b and a/b would both be the variable a_b"):
        variables({"a/b": "1", "a.b": "2"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", "KEY holds a line's end, which an env file cannot"),
        ("a\rb", "KEY holds a line's end"),
        ("a\0b", "KEY holds a NUL"),
        ("\udcff", "KEY is not Unicode"),
        ("x" * 65531, "KEY takes 65535 bytes; docker reads lines of 65534 at most"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_and_not_shown(value: str, text: str) -> None:
    with pytest.raises(RequestError) as caught:
        env_file({"KEY": value})
    assert text in str(caught.value)


ALLOWED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=200)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True), ALLOWED))
def test_a_reader_that_splits_at_line_ends_and_the_first_equals_sign_has_the_values(values: dict[str, str]) -> None:
    text = env_file(values)
    assert text == "" or text.endswith("\n")
    lines = text.split("\n")[:-1]
    assert dict(line.split("=", 1) for line in lines) == values


async def test_dockers_own_command_line_reads_the_values_back(embedded_engine: EmbeddedEngine, tmp_path: Path) -> None:
    chosen = random.Random(5)
    letters = " \t\\\"'#=$`{}%\x01\x1b\x7f\x85\u2028\ufeffaå€😀"
    values = {f"K{number}": "".join(chosen.choices(letters, k=number % 40)) for number in range(300)}
    values |= {"LONG": "x" * 65529, "NUMBER": "0", "_": "="}
    file = tmp_path / "env"
    file.write_bytes(env_file(values).encode())
    embedded_engine.run("other", "nginx")  # so that there is the image
    docker = ["docker", "-H", embedded_engine.url]
    await _run([*docker, "create", "--name", "it", "--env-file", str(file), "nginx"])
    created = json.loads(await _run([*docker, "inspect", "it", "--format", "{{json .Config.Env}}"]))
    created.remove(next(each for each in created if each.startswith("PATH=")))  # the image's own
    assert dict(each.split("=", 1) for each in created) == values


async def _run(command: list[str]) -> bytes:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    answer, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return answer
