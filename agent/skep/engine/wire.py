"""The way to one engine: address, TLS, connections; what is counted there, and how failures are told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from skep.engine.address import Address
from skep.engine.failures import NETWORK_ERRORS, translate
from skep.engine.sessions import Sessions
from skep.engine.tls import TLS
from skep.errors import EngineUnreachableError, SkepError

__all__ = ["Counters", "Wire"]


@dataclass(slots=True)
class Counters:
    """What an engine was asked.

    calls: all requests that were sent, streams and hijacks too.
    errors: those that failed by network, by deadline, or with a status of 500 and above.
    seconds: until they were answered (streams: until they began).
    """

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Wire:
    """Opened by its first use within a running loop."""

    address: Address
    tls: TLS | None
    connect_timeout: float
    counters: Counters = field(default_factory=Counters)
    context: ssl.SSLContext | None = None
    sessions: Sessions | None = None
    _closed: bool = False
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> Sessions:
        """The sessions, made by the first call. Raises SettingsError for bad TLS files."""
        if self.sessions is not None:
            return self.sessions
        async with self._opening:
            if self.address.secure and self.context is None:
                self.context = await asyncio.to_thread((self.tls or TLS()).ssl_context)
            if self._closed:
                raise EngineUnreachableError(f"engine {self.address.text}: this client is closed")
            if self.sessions is None:
                self.sessions = Sessions(self.address, self.context, self.connect_timeout)
            return self.sessions

    async def renew(self) -> None:
        """Take up what may have changed: the TLS files' content and the address behind the engine's name."""
        if self.sessions is not None:
            self.sessions.forget_names()
        if self.tls is not None and self.context is not None:
            await asyncio.to_thread(self.tls.load_into, self.context)

    async def close(self) -> None:
        """Close all connections that are not hijacked; no more can be opened."""
        self._closed = True
        sessions, self.sessions = self.sessions, None
        if sessions is not None:
            await sessions.close()

    def where(self, method: str, path: str) -> str:
        """Engine and call, for error messages."""
        return f"engine {self.address.text}: {method} {path[:200]}"

    @contextlib.contextmanager
    def counted(self, method: str, path: str) -> Iterator[None]:
        """Count and time a request, and translate its failure."""
        self.counters.calls += 1
        started = time.perf_counter()
        try:
            yield
        except SkepError as error:
            self.counters.errors += getattr(error, "status", 500) >= 500
            raise
        except NETWORK_ERRORS as error:
            self.counters.errors += 1
            raise translate(error, self.where(method, path)) from error
        finally:
            self.counters.seconds += time.perf_counter() - started
