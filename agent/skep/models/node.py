"""A node: a Docker Engine as a member of the cluster."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Node", "NodeStatus", "natural_key", "with_overcommit"]


class NodeStatus(enum.StrEnum):
    """How the agent stands with a node.

    `pending`: known by its address, not yet (or never) understood; nothing is placed there, its containers are not known.
    `healthy`: its state is known and kept true. `unhealthy`: it was, but does not answer now; its last known state stays, marked stale.
    """

    PENDING = "pending"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of one engine. Memory is in bytes, times in seconds since the epoch.

    `id` is the engine's own, `name` its host's name (and the node's in the cluster; a pending node goes by its address), `address` as
    discovery gave it, `ip` where its published ports are reached from other hosts ("" where it is this host's own engine).
    `labels` are the engine's labels and the derived ones (`storagedriver`, `kernelversion`, `operatingsystem`, `ostype`).
    `ignored_labels` are those of the engine's that count for nothing, as it writes them (see `skep.models.parse`).
    `error` says why it is not healthy, `updated` when something was last heard of it.
    """

    name: str
    address: str
    id: str = ""
    ip: str = ""
    status: NodeStatus = NodeStatus.PENDING
    error: str = ""
    failures: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    ignored_labels: tuple[str, ...] = ()
    cpus: int = 0
    memory: int = 0
    server_version: str = ""
    api_version: str = ""
    operating_system: str = ""
    os_type: str = ""
    architecture: str = ""
    kernel_version: str = ""
    clock_skew: float = 0.0
    updated: float = 0.0

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.status}>"

    @property
    def is_healthy(self) -> bool:
        """Whether containers may be placed here."""
        return self.status is NodeStatus.HEALTHY


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as people do: node2 before node10. For any text: digits may be more than Python turns into a number."""
    parts = re.findall(r"(\d+)|(\D+)", name)
    return tuple(_number_key(digits) if digits else (1, 0, text) for digits, text in parts)


def _number_key(digits: str) -> tuple[int, int, str]:
    bare = digits.lstrip("0")
    return 0, len(bare), bare


def with_overcommit(amount: int, overcommit: float) -> int:
    """What may be reserved of a node's CPUs or bytes of memory. `overcommit` is a fraction: 0.05 allows five percent more.

    As Swarm's manager counts: overcommit in whole percents, the result in whole CPUs or bytes, each rounded toward zero.
    """
    return amount + int(amount * int(overcommit * 100) / 100)
