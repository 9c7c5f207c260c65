"""Following a discovery backend: its last answer stays while it has none."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from skep.errors import SettingsError, SkepError, TemporaryError
from skep.hooks import DiscoveryBackend
from skep.plugins.limits import GRACE, end, invoke
from skep.settings import ClusterSettings, nearest

__all__ = ["Discovery", "choose"]

_log = logging.getLogger("skep.discovery")
_LONGEST_PAUSE = 60.0  # seconds


def choose(settings: ClusterSettings, backends: Mapping[str, DiscoveryBackend]) -> tuple[DiscoveryBackend, str] | None:
    """The backend that the settings name, with what follows `scheme://`; None where they name none. Raises SettingsError."""
    if not settings.discovery:
        return None
    scheme, rest = _split(settings.discovery)
    if scheme not in backends:
        advice = (
            ""
            if "nodes" in backends
            else " (the plugin discovery brings nodes, file and token: enable it by [plugins.discovery])"
        )
        raise SettingsError(
            f"cluster.discovery: no enabled plugin knows {scheme}://: {nearest(scheme, backends)}{advice}"
        )
    return backends[scheme], rest


def _split(url: str) -> tuple[str, str]:
    """Scheme and rest; a list alone is one of nodes, as Swarm takes it."""
    scheme, separator, rest = url.partition("://")
    return (scheme, rest) if separator else ("nodes", url)


class Discovery:
    """Tells `changed` of the addresses that a backend finds, for as long as `run` runs."""

    def __init__(
        self,
        settings: ClusterSettings,
        backend: DiscoveryBackend,
        rest: str,
        changed: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._shown = f"discovery {_split(settings.discovery)[0]}://"  # the rest may be a secret, as a token is
        self._backend = backend
        self._rest = rest
        self._changed = changed
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._complaint = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self, timeout: float) -> None:
        """Begin, and wait for the first list, that long at most. Raises SettingsError where the backend says that it can never work."""
        self._task = asyncio.create_task(self._run(), name="discovery")
        await asyncio.wait([self._first], timeout=timeout)
        if self._first.done():
            self._first.result()
        else:
            _log.warning("%s: no list of engines after %g s; going on without", self._shown, timeout)
            self._first.cancel()

    async def stop(self) -> None:
        """End it."""
        if not self._first.done():
            self._first.cancel()
        if self._task is not None and not await end(self._task, GRACE):
            _log.error("%s did not end when the agent stopped; it is left behind", self._shown)

    async def _run(self) -> None:
        pause = 1.0
        while True:
            wish = None
            try:
                async for addresses in self._backend.watch(
                    self._rest, self._settings.discovery_options, self._settings.heartbeat
                ):
                    pause = 1.0
                    await self._found(addresses)
                return  # there is no more to be known
            except SettingsError as error:
                if not self._first.done():
                    self._first.set_exception(SettingsError(f"cluster.discovery: {error}"))
                    return
                self._complain(str(error))
            except SkepError as error:
                wish = error.delay if isinstance(error, TemporaryError) else None
                self._complain(str(error))
            except Exception as error:
                self._complain(f"its backend failed: {type(error).__name__}: {error}", error)
            await asyncio.sleep(pause * random.uniform(0.5, 1) if wish is None else wish)  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _found(self, addresses: Sequence[str]) -> None:
        if isinstance(addresses, str) or not all(isinstance(each, str) for each in addresses):
            raise TypeError("expected a list of addresses")
        if self._complaint:
            _log.info("%s: answers again", self._shown)
            self._complaint = ""
        await invoke(self._changed, list(addresses))
        if not self._first.done():
            self._first.set_result(None)

    def _complain(self, text: str, error: Exception | None = None) -> None:
        """Log once for each reason; the last members stay."""
        if text != self._complaint:
            _log.warning("%s: %s; the last known engines stay", self._shown, text, exc_info=error)
            self._complaint = text
