"""A node's labels: the engine's own and those derived from what it says of itself (section 3.4 of classic Swarm's rules)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skep.errors import EngineProtocolError
from skep.models import Node, parse_node

TELLS = {
    "Driver": "overlay2",
    "KernelVersion": "6.1.0-13",
    "OperatingSystem": "Debian GNU/Linux 12",
    "OSType": "linux",
}
DERIVED = {
    "storagedriver": "overlay2",
    "kernelversion": "6.1.0-13",
    "operatingsystem": "Debian GNU/Linux 12",
    "ostype": "linux",
}


def node_of(labels: list[str] | None, **fields: Any) -> Node:
    info = {"ID": "A", "Name": "n1", "NCPU": 1, "MemTotal": 1, "Labels": labels, **fields}
    return parse_node(json.dumps(info).encode(), "tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("fields", "labels", "known", "ignored"),
    [
        pytest.param(TELLS, None, DERIVED, [], id="3.4 derived"),
        pytest.param({}, None, {}, [], id="3.4 derived only where the engine tells them"),
        pytest.param(
            {**TELLS, "OSType": ""}, [], {k: v for k, v in DERIVED.items() if k != "ostype"}, [], id="3.4 empty"
        ),
        pytest.param(
            {}, ["disk=ssd", "empty=", "a=b=c"], {"disk": "ssd", "empty": "", "a": "b=c"}, [], id="3.4 its own"
        ),
        pytest.param({}, ["ostype=linux"], {"ostype": "linux"}, [], id="3.4 its own where nothing is derived"),
        pytest.param({}, ["node=n9", "a=b"], {"a": "b"}, ["node=n9"], id="3.4 the key node is passed over"),
        pytest.param(TELLS, ["ostype=x"], DERIVED, ["ostype=x"], id="3.4 a derived key comes first"),
        pytest.param({}, ["a=1", "a=2", "a=1"], {"a": "1"}, ["a=2", "a=1"], id="3.4 the first of one key stays"),
        pytest.param(
            {}, ["Node=x", "containerslots=3"], {"Node": "x", "containerslots": "3"}, [], id="3.4 case counts"
        ),
    ],
)
def test_labels(fields: dict[str, str], labels: list[str] | None, known: dict[str, str], ignored: list[str]) -> None:
    node = node_of(labels, **fields)
    assert (dict(node.labels), list(node.ignored_labels)) == (known, ignored)


def test_a_label_without_an_equals_sign_makes_the_engine_unusable() -> None:
    with pytest.raises(EngineProtocolError, match="has the engine label 'ssd': expected key=value"):
        node_of(["ssd"])
