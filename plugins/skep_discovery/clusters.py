"""What the token service knows: clusters by token, their addresses, and until when. No I/O; the clock is given."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from skep import NotFoundError, RequestError
from skep_discovery.entries import parse_entry

__all__ = ["LONGEST_TTL", "Clusters"]

LONGEST_TTL = 7 * 86400
"""Seconds."""


@dataclass(slots=True)
class _Member:
    ttl: int
    until: float


@dataclass(slots=True)
class _Cluster:
    members: dict[str, _Member] = field(default_factory=dict)
    used: bool = False
    """Whether anything ever joined."""


class Clusters:
    """All clusters. At most `most_clusters`, each of at most `most_members` addresses; `clock` is in seconds and never goes back."""

    def __init__(
        self, *, most_clusters: int = 1000, most_members: int = 1000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.version = 0
        """Grows with every change but renewals: what a copy of `dump` has to follow."""
        self._most_clusters = most_clusters
        self._most_members = most_members
        self._clock = clock
        self._clusters: dict[str, _Cluster] = {}

    def create(self) -> str:
        """Make a cluster and return its token, which nobody can guess.

        When there are too many, the oldest one that nothing ever joined gives way. Raises RequestError (503) where all are in use.
        """
        if len(self._clusters) >= self._most_clusters:
            unused = next((token for token, each in self._clusters.items() if not each.used), None)
            if unused is None:
                raise RequestError(f"there are {self._most_clusters} clusters already; delete one", status=503)
            del self._clusters[unused]
        token = secrets.token_hex(16)
        self._clusters[token] = _Cluster()
        self.version += 1
        return token

    def addresses(self, token: str) -> list[str]:
        """The addresses whose time has not run out, in order. Raises NotFoundError."""
        return sorted(self._current(token).members)

    def register(self, token: str, address: str, ttl: int) -> None:
        """Add an address for `ttl` seconds, or give it that time anew. Raises NotFoundError, RequestError."""
        cluster = self._current(token)
        try:
            parse_entry(address)
        except ValueError as error:
            raise RequestError(f"address: {error}") from None
        if not 1 <= ttl <= LONGEST_TTL:
            raise RequestError(f"ttl={ttl}: expected 1 to {LONGEST_TTL} seconds")
        if address not in cluster.members:
            if len(cluster.members) >= self._most_members:
                raise RequestError(f"the cluster has {self._most_members} addresses already", status=409)
            self.version += 1
        cluster.members[address] = _Member(ttl, self._clock() + ttl)
        cluster.used = True

    def remove(self, token: str) -> None:
        """Forget a cluster. Raises NotFoundError."""
        self._current(token)
        del self._clusters[token]
        self.version += 1

    def dump(self) -> dict[str, dict[str, int]]:
        """Token to address to seconds it was registered for."""
        return {
            token: {address: member.ttl for address, member in cluster.members.items()}
            for token, cluster in self._clusters.items()
        }

    def load(self, data: Mapping[str, Mapping[str, int]]) -> None:
        """Take up what `dump` gave another process; every address gets its whole time anew, to renew itself in. Raises ValueError."""
        now = self._clock()
        for token, members in data.items():
            if not all(1 <= ttl <= LONGEST_TTL for ttl in members.values()):
                raise ValueError(f"a time to live is not within 1 to {LONGEST_TTL} seconds")
            known = {parse_entry(address): _Member(ttl, now + ttl) for address, ttl in members.items()}
            self._clusters[token] = _Cluster(known, used=bool(known))

    def _current(self, token: str) -> _Cluster:
        cluster = self._clusters.get(token)
        if cluster is None:
            raise NotFoundError("no cluster has this token; POST /v1/clusters makes one")
        now = self._clock()
        for address in [address for address, member in cluster.members.items() if member.until <= now]:
            del cluster.members[address]
            self.version += 1
        return cluster
