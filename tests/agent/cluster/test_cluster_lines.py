"""A search through many names at once finds what a test of each name finds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep import ExpressionError
from skep.cluster.lines import Lines
from skep.expressions import parse_expression

GLOBS = ["*", "**", "a*", "*a", "*a*", "a*b", "*a*b*", "a**b", "ab*ab", "*.*", "a\n*", "*-a*-b*", "a.b*"]
REGEXES = [
    *(
        ".",
        "^a",
        "b$",
        "^$",
        "a*",
        "[^a]",
        r"\s",
        r"\Aa",
        r"b\z",
        r"a\nb",
        r"(?s)a.b",
        r"(?i)A",
        r"(?-m)^b",
        r"\bb\b",
        r"\Bb",
    ),
    *(
        r"\Q\A\E",
        r"\Q^a",
        r"\\A",
        r"^a|b$",
        "(?:^b)",
        "(?i-m:^A)",
        "(?m)^b",
        "[$^]",
        r"\C",
        "a|",
        "[[:alpha:]]-",
        "(?U)a+$",
    ),
]
NAMES = st.lists(st.text(alphabet="abA.-^$\\Q", min_size=1, max_size=5), max_size=5)


@settings(max_examples=400, deadline=None)
@given(NAMES, st.sampled_from([*GLOBS, *(f"/{each}/" for each in REGEXES)]))
def test_lines_agree_with_a_test_of_each(names: list[str], value: str) -> None:
    expression = parse_expression(f"container=={value}")
    assert Lines(expression).match("\n".join(names).encode()) == any(map(expression.equals, names))


@settings(max_examples=400, deadline=None)
@given(NAMES, st.text(alphabet=r"ab^$\AzQEC.*+?()[]|-:Umis", min_size=1, max_size=8))
def test_lines_agree_on_any_pattern(names: list[str], pattern: str) -> None:
    for value in (f"/{pattern}/", f"{pattern}*"):
        try:
            expression = parse_expression(f"container=={value}")
        except ExpressionError:
            continue
        if expression.pattern is not None:
            assert Lines(expression).match("\n".join(names).encode()) == any(map(expression.equals, names))


@pytest.mark.parametrize(
    "value", ["*redis*", "redis*", "*redis", "web*redis*", "/redis[0-9]/", r"/\Aredis/", "/[^a-z0-9-]/"]
)
def test_many_names_take_no_time(value: str) -> None:
    expression = parse_expression(f"container=={value}")
    texts = ["\n".join(f"web-{n}-{c}" for c in range(30)).encode() for n in range(1000)]
    lines, began = Lines(expression), time.process_time()
    assert not any(map(lines.match, texts))
    assert time.process_time() - began < 0.05
