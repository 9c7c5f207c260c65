"""Values as variables, and as a file that docker's own command line reads back as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ConflictError, RequestError, env_file, variables


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
