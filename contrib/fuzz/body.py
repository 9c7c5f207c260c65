"""Any bytes are a create request whose engine gets the same, or they are refused; and placing what is read never fails otherwise."""

from __future__ import annotations

import json
from typing import Any

import atheris  # type: ignore[import-untyped]
import msgspec

from skep import ExpressionError, NodeStatus, Port, RequestError
from skep.models import Node
from skep.scheduler import PlacementRequest, engine_body
from skep.testing import PaperCluster

__all__ = ["EXAMPLES", "WORDS", "check", "expected"]

FILTERS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")
MOVED = {"memory": "memory", "memoryswap": "memoryswap", "cpushares": "cpushares", "cpuset": "cpusetcpus"}
WORDS = [
    *(
        b"Env Labels HostConfig NetworkingConfig EndpointsConfig PortBindings HostPort HostIp ExposedPorts Links Image".split()
    ),
    *(
        b"VolumesFrom NetworkMode PidMode Memory CpuShares NanoCpus Cpuset container: constraint: affinity: whitelist:".split()
    ),
    *(
        b'reschedule: com.docker.swarm.constraints com.docker.swarm.id == != null true 80/tcp 1-2/udp {"a": ["x"] \\u'.split()
    ),
]
EXAMPLES = [
    b"{}",
    b'{"Image":"busybox","Env":["A=1","constraint:node==n1"],"Labels":{"a":"b"},"HostConfig":{"Memory":7}}',
    b'{"hostconfig":{"portbindings":{"80/tcp":[{"hostport":"8000-8010","HostIp":""}]},"Links":["redis:db"]}}',
    b'{"Labels":{"com.docker.swarm.constraints":"[\\"node==~n*\\"]"},"ExposedPorts":{"80-82/udp":{}},"CpuShares":2}',
    b'{"NetworkingConfig":{"EndpointsConfig":{"n1/front":{"Aliases":[]}}},"HostConfig":{"NetworkMode":"host"}}',
]


def _cluster() -> PaperCluster:
    paper = PaperCluster(settings={"plugins": {name: {} for name in FILTERS}})
    paper.node("n1", "busybox:latest", labels={"disk": "ssd", "containerslots": "3"})
    paper.node("n2", status=NodeStatus.UNHEALTHY, error="away")
    paper.container("redis", "n1", labels={"com.docker.swarm.id": "5e" * 32}, ports=(Port(80, "tcp", 8000),))
    paper.container("web", "n1", network_mode="host", exposed=(Port(80),))
    return paper


_CLUSTER = _cluster()
_BARE = PaperCluster()
_NODE = _BARE.state.put_node(Node("no node has this name", "tcp://x:1"))  # no CPUs, so that shares stay as they are


def check(data: bytes) -> None:
    """The bytes, where they begin with `{`; else a body that is made out of them."""
    if not data.startswith(b"{"):
        data = json.dumps(_made(atheris.FuzzedDataProvider(data))).encode()
    kinds = _CLUSTER.agent.expression_kinds
    try:
        request = PlacementRequest.from_create(data, "box", kinds=kinds)
    except (RequestError, ExpressionError) as error:
        _check_is_400(error)
        return
    sent = msgspec.json.decode(msgspec.json.encode(engine_body(request, _BARE.state, _NODE)))
    assert lowered(sent) == expected(json.loads(data), kinds), (data, sent)
    try:
        _CLUSTER.agent.place(request).explain()
        engine_body(request, _CLUSTER.state, _CLUSTER.state.nodes[0])
    except (RequestError, ExpressionError) as error:
        _check_refusal(error)


def _check_is_400(error: Exception) -> None:
    """Of errors of reading."""
    assert getattr(error, "status", 400) == 400, error
    assert len(str(error)) < 2000, error


def _check_refusal(error: Exception) -> None:
    assert len(str(error)) < 20_000, error
    assert "its filter" not in str(error), error
    assert "could not say why" not in str(error), error


# -- what an engine should get, as plainly as can be


def expected(body: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    """The body as it should reach an engine, keys in lower case as far as engines do not tell them apart."""
    body = lowered(body)
    host = dict(body.get("hostconfig") or {})
    moved = {new: body[old] for old, new in MOVED.items() if body.get(old)}
    for old in MOVED:
        body.pop(old, None)
    if moved:
        body["hostconfig"] = {**host, **moved}
    kinds = {**kinds, "reschedule": "com.docker.swarm.reschedule-policies"}
    env, labels = body.get("env") or [], dict(body.get("labels") or {})
    for kind, label in kinds.items():
        texts = [*json.loads(labels.get(label) or "[]"), *(e[len(kind) + 1 :] for e in env if e.startswith(f"{kind}:"))]
        if texts:
            labels[label] = json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    body["env"] = [entry for entry in env if not entry.startswith(tuple(f"{kind}:" for kind in kinds))]
    body["labels"] = labels
    return body


def lowered(source: Any) -> dict[str, Any]:
    """With keys in lower case wherever skep knows them."""
    body: dict[str, Any] = _low(source)
    if isinstance(host := body.get("hostconfig"), dict):
        body["hostconfig"] = host = _low(host)
        if isinstance(ports := host.get("portbindings"), dict):
            host["portbindings"] = {
                key: [_low(each) for each in rows] if isinstance(rows, list) else rows for key, rows in ports.items()
            }
    if isinstance(networking := body.get("networkingconfig"), dict):
        body["networkingconfig"] = networking = _low(networking)
        if isinstance(ends := networking.get("endpointsconfig"), dict):
            networking["endpointsconfig"] = {key: _low(end) for key, end in ends.items()}
    return body


def _low(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {key.replace("ſ", "s").replace("\u212a", "k").lower(): value for key, value in table.items()}


# -- bodies that are almost right

_TEXTS = [
    *(
        "",
        "a",
        "redis",
        "redis:db",
        "n1/redis",
        "/",
        "container:redis",
        "container:",
        "host",
        "5e5e",
        "é",
        "\0",
        "n1",
        "x" * 5000,
    ),
    *(
        "constraint:node==n1",
        "constraint:node==~n*",
        "affinity:container!=/r/",
        "affinity:image==busybox",
        "whitelist:node==n1|x",
    ),
    *("constraint:", "reschedule:off", "reschedule:x", "contraint:a1==b", "constraint:a1==(", "affinity:a1==/(/"),
    *(
        "80/tcp",
        "80",
        "80-82/udp",
        "82-80/tcp",
        "0/tcp",
        "65536",
        "8000",
        "8000-8010",
        "8010-8000",
        "-",
        "1-",
        "80/",
        "/tcp",
    ),
    *("0.0.0.0", "::", "::1", "10.0.0.1", "[", '["a1==b"]', '["off"]', "[]", "{}", '["a1==b",1]'),
]
_KEYS = {
    "": "Image Env Labels ExposedPorts HostConfig hostConfig NetworkingConfig Memory CpuShares Cpuset MemorySwap Other Env",
    "HostConfig": "Memory memory CpuShares NanoCpus NetworkMode PidMode IpcMode Links VolumesFrom PortBindings Binds AutoRemove",
    "NetworkingConfig": "EndpointsConfig endpointsconfig x",
}
_LISTS = ("Env", "Links", "VolumesFrom", "Binds")
_LABELS = [
    "a",
    "com.docker.swarm.id",
    *(f"com.docker.swarm.{each}" for each in ("constraints", "affinities", "whitelists")),
]


def _made(data: atheris.FuzzedDataProvider, kind: str = "") -> dict[str, Any]:
    keys = _KEYS[kind].split()
    return {(key := data.PickValueInList(keys)): _value(data, key) for _ in range(data.ConsumeIntInRange(0, 4))}


def _value(data: atheris.FuzzedDataProvider, key: str) -> Any:
    if data.ConsumeIntInRange(0, 30) == 0:
        return data.PickValueInList([None, 7, 1.5, "x", [], {}, [None], {"a": None}, 2**63, -(2**63), True])
    key = key[:1].upper() + key[1:]
    if key in _KEYS:
        return _made(data, key)
    if key in _LISTS:
        return [_text(data) for _ in range(data.ConsumeIntInRange(0, 4))]
    if key == "Labels":
        return {data.PickValueInList(_LABELS): _text(data) for _ in range(data.ConsumeIntInRange(0, 3))}
    if key == "ExposedPorts":
        return {_text(data): {} for _ in range(data.ConsumeIntInRange(0, 3))}
    if key == "PortBindings":
        return {
            _text(data): [{"HostIp": _text(data), "HostPort": _text(data)}] for _ in range(data.ConsumeIntInRange(0, 2))
        }
    if key in ("EndpointsConfig", "Endpointsconfig"):
        return {_text(data): {"Aliases": None} for _ in range(data.ConsumeIntInRange(0, 2))}
    if key in ("Memory", "CpuShares", "NanoCpus", "MemorySwap"):
        return data.PickValueInList([0, 1, -1, 4, 2**40, 2**63 - 1])
    return data.PickValueInList([True, False]) if key == "AutoRemove" else _text(data)


def _text(data: atheris.FuzzedDataProvider) -> str:
    if data.ConsumeIntInRange(0, 9) == 0:
        return str(data.ConsumeUnicodeNoSurrogates(8))
    return str(data.PickValueInList(_TEXTS))
