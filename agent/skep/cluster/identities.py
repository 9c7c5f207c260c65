"""Each engine is a member once, and each node's name stands for one engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from skep.errors import SkepError
from skep.models import Node

__all__ = ["Identities", "IdentityError"]


class IdentityError(SkepError):
    """An engine is not who it may be. It stays out of the cluster, and is asked again from time to time."""


@dataclass(slots=True)
class Identities:
    """Which address has which engine's id, and which node's name."""

    _ids: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _claims: dict[str, Node] = field(default_factory=dict)

    def claim(self, node: Node) -> None:
        """Take id and name of a node for its address. Raises IdentityError naming the address that has them, and the cure."""
        known = self._claims.get(node.address)
        if known is not None and known.id != node.id:
            raise IdentityError(
                f"the engine at {node.address} was {known.name} with the ID {known.id}, and now shows another ID: {node.id} ({node.name}). "
                "If it was replaced on purpose, remove the address from the cluster and add it again"
            )
        other = self._ids.get(node.id, node.address)
        if other != node.address:
            raise IdentityError(
                f"the engine at {node.address} has the ID {node.id}, as the one at {other}. If it is the same engine, remove one of the two "
                "addresses; if the machine was cloned, give it an ID of its own: stop docker, delete /var/lib/docker/engine-id and "
                "/etc/docker/key.json, start it"
            )
        other = self._names.get(node.name, node.address)
        if other != node.address:
            raise IdentityError(
                f"the engine at {node.address} has the name {node.name}, as the one at {other}: give one of the hosts another name "
                "(hostnamectl hostname NAME) and restart its docker, or remove one of the two addresses"
            )
        self.release(node.address)
        self._claims[node.address] = node
        self._ids[node.id] = self._names[node.name] = node.address

    def release(self, address: str) -> None:
        """Let go of what an address has."""
        known = self._claims.pop(address, None)
        if known is not None:
            del self._ids[known.id], self._names[known.name]

    def address_of(self, name: str) -> str | None:
        """The address of the node of that name."""
        return self._names.get(name)
