"""What `docker info` and `docker version` show of a cluster; made from its state alone.

The rows of `SystemStatus` are those of a Swarm manager, in its order; the docker command prints them.
"""

from __future__ import annotations

import itertools
import os
import platform
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from skep import Agent, Node, NodeState, NodeStatus, __version__, format_time, with_overcommit
from skep_docker_api.node_summaries import NodeSummaries, NodeSummary, by_state

__all__ = ["ClusterInfo", "ServerHeaders", "api_version", "builder_version", "describe_versions", "human_size"]

_OLDEST = "1.24"
_USUAL = "1.41"
"""Announced while no engine is known: every docker command in use speaks it."""

_ABLE = [
    "MemoryLimit",
    "SwapLimit",
    "KernelMemory",
    "KernelMemoryTCP",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "CPUShares",
    "CPUSet",
    "PidsLimit",
    "OomKillDisable",
    "IPv4Forwarding",
    "BridgeNfIptables",
    "BridgeNfIp6tables",
]


def api_version(agent: Agent) -> str:
    """The newest version of the Engine API that every healthy engine speaks."""
    spoken = {node.node.api_version for node in agent.cluster.state.nodes if node.node.is_healthy}
    return min(filter(None, spoken), key=_numbers, default=_USUAL)


def builder_version(agent: Agent) -> str:
    """The builder that clients use unless told: "2", BuildKit, where all healthy engines name it, which they do since 23.0; else "1"."""
    versions = [node.node.server_version for node in agent.cluster.state.nodes if node.node.is_healthy]
    return "2" if versions and all(_numbers(each)[:1] >= (23,) for each in versions) else "1"


class ServerHeaders:
    """What every answer carries, as an engine's does; made again where nodes have changed."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._version = -1
        self._made: dict[str, str] = {}

    def __call__(self) -> dict[str, str]:
        """The headers; they are not to be changed."""
        version = self._agent.cluster.state.nodes_version
        if version != self._version:
            self._version = version
            self._made = {
                "Api-Version": api_version(self._agent),
                "Docker-Experimental": "false",
                "Ostype": "linux",
                "Server": f"skep/{__version__} (linux)",
            }
        return self._made


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def describe_versions(agent: Agent) -> dict[str, Any]:
    """The answer to `GET /version`. Each version of an engine is a component that names its nodes."""
    shared = {
        "ApiVersion": api_version(agent),
        "MinAPIVersion": _OLDEST,
        "Os": "linux",
        "Arch": _go_architecture(platform.machine()),
        "KernelVersion": platform.release(),
    }
    components = [{"Name": "skep", "Version": __version__, "Details": {**shared, "Experimental": "false"}}]
    known = sorted((n.node for n in agent.cluster.state.nodes if n.node.server_version), key=_engine_version)
    for (version, spoken), nodes in itertools.groupby(known, key=_engine_version):
        names = ", ".join(node.name for node in nodes)
        components.append({"Name": "Nodes", "Version": version, "Details": {"ApiVersion": spoken, "Names": names}})
    return {
        "Platform": {"Name": f"skep {__version__}"},
        "Components": components,
        "Version": f"skep/{__version__}",
        "GitCommit": "",
        "GoVersion": f"none (Python {platform.python_version()})",
        "BuildTime": "",
        **shared,
    }


def _engine_version(node: Node) -> tuple[str, str]:
    return node.server_version, node.api_version


def _go_architecture(machine: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


class ClusterInfo:
    """The answer to `GET /info`, made again where something has changed since the last one."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._summaries = NodeSummaries()
        self._key: tuple[object, ...] = ()
        self._text = b""

    def __call__(self, listeners: int = 0) -> bytes:
        """As JSON. `listeners`: how many read events."""
        agent = self._agent
        key = (agent.cluster.state.version, _implementing(agent, "score_nodes"), _implementing(agent, "filter_nodes"))
        if key != self._key:
            self._key, self._text = key, msgspec.json.encode(_describe_cluster(agent, self._summaries))
        now = {"NEventsListener": listeners, "SystemTime": format_time(time.time())}
        return self._text[:-1] + b"," + msgspec.json.encode(now)[1:]


def _describe_cluster(agent: Agent, summaries: NodeSummaries) -> dict[str, Any]:
    """Sums over all nodes, and each node in `SystemStatus`; all but what is another each time.

    CPUs and memory are counted with overcommit. `Warnings` names the nodes that do not answer.
    """
    nodes = agent.cluster.state.nodes
    overcommit = agent.settings.cluster.overcommit
    found = summaries.of(nodes, lambda node: _node_rows(node, overcommit))
    name = socket.gethostname()
    return {
        "ID": f"skep:{name}",
        "Name": name,
        **_counts(found),
        "NCPU": sum(with_overcommit(node.node.cpus, overcommit) for node in nodes),
        "MemTotal": sum(with_overcommit(node.node.memory, overcommit) for node in nodes),
        "Driver": "",
        "DriverStatus": None,
        "SystemStatus": _status(agent, found),
        "Plugins": _plugins(found),
        "Labels": [],
        "ServerVersion": f"skep/{__version__}",
        "OSType": _common((n.node.os_type for n in nodes), "linux"),
        "OperatingSystem": _common((n.node.operating_system for n in nodes), platform.system()),
        "KernelVersion": _common((n.node.kernel_version for n in nodes), platform.release()),
        "Architecture": _common((n.node.architecture for n in nodes), platform.machine()),
        "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": ""},
        "HttpProxy": os.environ.get("HTTP_PROXY", ""),
        "HttpsProxy": os.environ.get("HTTPS_PROXY", ""),
        "NoProxy": os.environ.get("NO_PROXY", ""),
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": []},
        "SecurityOptions": [],
        "Runtimes": {},
        "LiveRestoreEnabled": False,
        "ExperimentalBuild": False,
        "Debug": False,
        "DockerRootDir": "",
        "Warnings": [f"WARNING: {text}" for text in _complaints(nodes)] or None,
        **dict.fromkeys(_ABLE, True),
    }


def _counts(nodes: Iterable[NodeSummary]) -> dict[str, int]:
    running = paused = stopped = images = 0
    for node in nodes:
        running, paused, stopped = running + node.running, paused + node.paused, stopped + node.stopped
        images += node.images
    return {
        "Containers": running + paused + stopped,
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": stopped,
        "Images": images,
    }


def _plugins(nodes: Iterable[NodeSummary]) -> dict[str, Any]:
    """The drivers that are in use, as engines are not asked for those that they could use."""
    volumes, networks = {"local"}, {"bridge", "host", "null"}
    for node in nodes:
        volumes |= node.volume_drivers
        networks |= node.network_drivers
    return {"Volume": sorted(volumes), "Network": sorted(networks), "Authorization": None, "Log": []}


def _common(values: Iterable[str], default: str) -> str:
    return ", ".join(sorted({value for value in values if value})) or default


def _complaints(nodes: Iterable[NodeState]) -> Iterator[str]:
    for node in nodes:
        if not node.node.is_healthy:
            yield f"node {node.name} is {node.node.status}: {_one_line(node.node.error) or 'not reached yet'}"


def _status(agent: Agent, nodes: Sequence[NodeSummary]) -> msgspec.Raw:
    head = (
        ("Role", "primary"),
        ("Strategy", _implementing(agent, "score_nodes")),
        ("Filters", _implementing(agent, "filter_nodes")),
        ("Nodes", str(len(nodes))),
    )
    return msgspec.Raw(b"[" + b",".join([*map(msgspec.json.encode, head), *(node.rows for node in nodes)]) + b"]")


def _implementing(agent: Agent, hook: str) -> str:
    return ", ".join(name for name, _ in agent.plugins.implementing(hook)) or "(none)"


def _node_rows(state: NodeState, overcommit: float) -> Iterator[tuple[str, str]]:
    node = state.node
    running, paused, stopped = by_state(state)
    detail = f" ({running} Running, {paused} Paused, {stopped} Stopped)" if node.is_healthy else ""
    memory = human_size(with_overcommit(node.memory, overcommit))
    never_reached = node.status is NodeStatus.PENDING and not node.id
    yield f" {'(unknown)' if never_reached else node.name}", node.address.removeprefix("tcp://")
    yield "  └ ID", node.id
    yield "  └ Status", node.status.capitalize()
    yield "  └ Containers", f"{running + paused + stopped}{detail}"
    yield "  └ Reserved CPUs", f"{state.cpus_used:g} / {with_overcommit(node.cpus, overcommit)}"
    yield "  └ Reserved Memory", f"{human_size(state.memory_used)} / {memory}"
    yield "  └ Labels", ", ".join(f"{key}={value}" for key, value in sorted(node.labels.items()))
    if node.error:
        yield "  └ Error", _one_line(node.error)
    yield "  └ UpdatedAt", _utc(node.updated)
    yield "  └ ServerVersion", node.server_version


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""


def human_size(size: float) -> str:
    """Bytes with four significant digits: `1.021 GiB`, `0 B`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} PiB"
