"""What the awaited request hooks are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from skep.models import Container
    from skep.scheduler import PlacementRequest

__all__ = ["ContainerCreating", "ContainerStopping", "DiscoveryBackend", "Lookup", "Metric"]


@dataclass(frozen=True, slots=True)
class ContainerCreating:
    """A container is about to be placed and created. `client` names who asks, as far as it is known ("")."""

    request: PlacementRequest
    client: str = ""


@dataclass(frozen=True, slots=True)
class ContainerStopping:
    """A container is about to be stopped, killed or removed through skep, by `action` (`stop`, `kill`, `restart`, `remove`)."""

    container: Container
    action: str
    client: str = ""


class DiscoveryBackend(Protocol):
    """Finds the addresses of engines, and makes one known. `rest` is what follows `scheme://`."""

    def watch(self, rest: str, options: Mapping[str, str], heartbeat: float) -> AsyncIterator[Sequence[str]]:
        """Yield all addresses now, and again whenever they change; asks every `heartbeat` seconds where it must ask.

        Raises TemporaryError when it cannot tell for now, SettingsError for a wrong `rest`.
        """
        ...

    async def register(self, rest: str, options: Mapping[str, str], address: str, ttl: float) -> None:
        """Make `address` known for `ttl` seconds. Raises SettingsError where this backend cannot."""
        ...


Lookup = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
"""Properties to values; raises NotFoundError, ConflictError (ambiguous), TemporaryError (not yet)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One sample for /metrics. `kind` is `counter` or `gauge`; names follow Prometheus' rules."""

    name: str
    value: float
    help: str = ""
    kind: str = "gauge"
    labels: tuple[tuple[str, str], ...] = ()
