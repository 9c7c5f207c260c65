"""What may be reserved of a node, and how one is shown."""

from __future__ import annotations

import pytest

from skep import Node, with_overcommit


@pytest.mark.parametrize(
    ("amount", "overcommit", "total"), [(4, 0.05, 4), (20, 0.05, 21), (3, -0.5, 2), (100, 0.29, 128), (4, 0.5, 6)]
)
def test_overcommit_is_rounded_toward_zero(amount: int, overcommit: float, total: int) -> None:
    assert with_overcommit(amount, overcommit) == total


def test_it_is_shown_in_a_few_words() -> None:
    """Events are printed with their node."""
    assert repr(Node("n1", "tcp://n1:2375", labels={"a": "b"})) == "<Node n1 pending>"
