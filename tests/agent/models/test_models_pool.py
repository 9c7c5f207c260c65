"""What containers have in common is kept once, within bounds; what is packed reads as it was told, and is checked when it is told."""

from __future__ import annotations

import dataclasses
import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from skep.errors import EngineProtocolError
from skep.models import (
    Container,
    ContainerState,
    Endpoint,
    Mount,
    Pool,
    Port,
    parse_images,
    parse_networks,
    parse_volumes,
)
from skep.models.pool import MOST_CHARACTERS, MOST_VALUES

VOLUME = "f" * 64
MOUNTED = f"/var/lib/docker/volumes/{VOLUME}/_data"
LABELS = {"b": "2", "a": "1", "com.docker.swarm.id": "c" * 64, "com.docker.compose.container-number": "7", "empty": ""}
ENV = [f"COMMON{n}=same" for n in range(9)]


def inspected(number: int = 0, **more: Any) -> bytes:
    answer = {
        "Id": f"{number:064x}",
        "Name": f"/c{number}",
        "Config": {"Hostname": f"{number:012x}", "Image": "app", "Labels": LABELS, "Env": [*ENV, f"OWN={number}"]},
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/udp": None},
            "Networks": {"bridge": {"NetworkID": "e" * 64, "IPAddress": "172.17.0.2", "IPPrefixLen": 16}, "x": None},
        },
        "Mounts": [{"Type": "volume", "Name": VOLUME, "Source": MOUNTED, "Destination": "/d", "RW": False}],
    }
    return json.dumps(answer | more).encode()


def test_what_is_packed_reads_as_it_was_told() -> None:
    pool = Pool()
    for number in range(20):
        container = Container.from_inspect(inspected(number), "n1", pool)
        assert container.labels == LABELS
        assert {key: container.label(key) for key in LABELS} == LABELS
        assert container.label("other") is None
        assert container.swarm_id == "c" * 64
        assert container.env == (*ENV, f"OWN={number}")
        assert container.ports == (Port(80, "tcp", 8080, "0.0.0.0"), Port(81, "udp"))
        assert container.networks == (Endpoint("bridge", "e" * 64, "", "172.17.0.2", 16), Endpoint("x"))
        assert container.mounts == (Mount("volume", VOLUME, MOUNTED, "/d", rw=False),)
        assert container.hostname == f"{number:012x}"


def test_a_container_is_equal_however_it_is_kept() -> None:
    pool = Pool()
    first, again = (Container.from_inspect(inspected(), "n1", pool) for _ in range(2))
    plain = dataclasses.replace(first)
    assert first == again == plain == pickle.loads(pickle.dumps(first))
    assert first != Container.from_inspect(inspected(1), "n1", pool)
    paused = first.changed(state=ContainerState.PAUSED)
    assert paused == dataclasses.replace(first, state=ContainerState.PAUSED) != first
    assert first.changed(id="9" * 64).hostname == first.hostname
    assert first.changed(labels={"a": "b"}).labels == {"a": "b"}
    assert first.changed(cpu_shares=7, name="x") == replace(first, cpu_shares=7, name="x") != first


def test_containers_share_what_they_have_in_common() -> None:
    pool = Pool()
    one, two = [Container.from_inspect(inspected(number), "n1", pool) for number in range(3)][1:]
    assert one.image is two.image
    assert all(a is b for a, b in zip(one.env[:-1], two.env[:-1], strict=True))
    rows = b'[{"Id": "sha256:a", "RepoTags": ["a:1"], "Labels": {"k": "v"}}]'
    assert parse_images(rows, "n1", pool)[0] is parse_images(rows, "n2", pool)[0]


def test_rows_of_networks_and_volumes_are_handed_on_as_they_came() -> None:
    pool = Pool()
    row = b'{"Name":"%s","Mountpoint":"%s","Labels":{"a":"b"},"New":[1]}' % (VOLUME.encode(), MOUNTED.encode())
    (volume,) = parse_volumes(b'{"Volumes":[%s]}' % row, "n1", pool)
    assert (volume.row, volume.mountpoint, volume.labels) == (row, MOUNTED, {"a": "b"})
    for name in ("", "e", "Id", "été"):
        text = json.dumps({"Id": "a", "Name": name, "Foo": "\0"}, ensure_ascii=False).encode()
        (network,) = parse_networks(b"[" + text + b"]", "n1", pool)
        assert (network.row, network.name) == (text, name)


def test_no_engine_makes_the_pool_grow_without_bounds() -> None:
    pool = Pool()
    for number in range(3 * MOST_VALUES):
        pool.text(f"text {number}")
        pool.known(f"other {number}")
    assert pool.size <= 2 * MOST_VALUES
    for number in range(1000):
        pool.texts((f"{number}" * 200, "x" * 1000), (None,))
        pool.parsed("row", b"%d" % number * 10_000, list)
    keys: list[Any] = list(pool._new)
    held = [text for key in keys if isinstance(key[0], tuple) for row in key for text in row if text]
    assert 0 < sum(map(len, held)) <= MOST_CHARACTERS - pool._room <= MOST_CHARACTERS


def test_large_values_have_no_place_in_the_pool() -> None:
    pool = Pool()
    large = "x" * 2**20
    Container.from_inspect(
        inspected(
            Config={
                "Image": large,
                "Labels": {large: large},
                "Env": [large],
                "ExposedPorts": {f"80/{large}": {}},
            },
            HostConfig={"NetworkMode": large, "Links": [large]},
        ),
        "n1",
        pool,
    )
    parse_networks(
        json.dumps([{"Id": "a", "Name": large, "Driver": large, "Labels": {"k": large}}]).encode(), "n1", pool
    )
    parse_volumes(json.dumps({"Volumes": [{"Name": "v", "Mountpoint": large}]}).encode(), "n1", pool)
    assert large not in repr([*pool._new, *pool._old])


@pytest.mark.parametrize(
    "more",
    [
        {"Mounts": [{"Name": 1}]},
        {"Mounts": "no"},
        {"NetworkSettings": {"Networks": {"a": {"IPPrefixLen": "x"}}}},
        {"NetworkSettings": {"Ports": {"99999/tcp": None}}},
        {"NetworkSettings": {"Ports": {"80/tcp": [{"HostPort": "x"}]}}},
        {"Config": {"Labels": {"a": 1}}},
        {"Config": {"Env": [None]}},
    ],
)
def test_what_is_packed_is_refused_when_it_is_told(more: dict[str, Any]) -> None:
    with pytest.raises(EngineProtocolError, match="node n1: unreadable container"):
        Container.from_inspect(inspected(**more), "n1", Pool())
