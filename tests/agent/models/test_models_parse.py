"""Engines' answers that were made to harm: refused as a whole, by the engine's name."""

from __future__ import annotations

import json

import pytest

from skep.errors import EngineProtocolError
from skep.models import Container, natural_key, parse_images, parse_networks, parse_node, parse_volumes


@pytest.mark.parametrize(
    "name", ["a/b", "tcp://10.0.0.1:2375", "two words", "red\x1b[31m", "two\nlines", "x" * 256, "\u202egnp"]
)
@pytest.mark.parametrize("field", ["Name", "ID"])
def test_a_node_is_not_named_like_something_else(field: str, name: str) -> None:
    info = {"ID": "A", "Name": "n1", "NCPU": 1, "MemTotal": 1} | {field: name}
    with pytest.raises(EngineProtocolError, match="expected at most 255 characters") as caught:
        parse_node(json.dumps(info).encode(), "tcp://127.0.0.1:1")
    assert str(caught.value).isprintable()


def test_names_sort_however_many_digits_they_have() -> None:
    names = ["n10", "n2", "n002", "n" + "1" * 5000, "n", "n2b", "²"]
    assert sorted(names, key=natural_key) == ["n", "n2", "n002", "n2b", "n10", "n" + "1" * 5000, "²"]


@pytest.mark.parametrize("value", [b'"\xff\xfe"', b"1e400", b"[" * 3000 + b"]" * 3000])
def test_rows_that_are_kept_are_readable_as_a_whole(value: bytes) -> None:
    """Later they are decoded for everybody's listings."""
    with pytest.raises(EngineProtocolError, match="node n1: unreadable"):
        parse_networks(b'[{"Id": "a", "Name": "a", "Foo": %s}]' % value, "n1")
    with pytest.raises(EngineProtocolError, match="node n1: unreadable"):
        parse_volumes(b'{"Volumes": [{"Name": "a", "Foo": %s}]}' % value, "n1")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_numbers_are_those_of_a_go_program(number: int) -> None:
    """Docker's own client fails on a whole list for one that is not."""
    inspected = {"Id": "a", "NetworkSettings": {"Networks": {"x": {"IPPrefixLen": number}}}}
    with pytest.raises(EngineProtocolError, match="node n1: unreadable container"):
        Container.from_inspect(json.dumps(inspected).encode(), "n1")
    with pytest.raises(EngineProtocolError, match="node n1: unreadable list of images"):
        parse_images(json.dumps([{"Id": "a", "Created": number}]).encode(), "n1")
