"""`Watch`: session after session with one engine, for as long as it is wanted."""

from __future__ import annotations

import asyncio
import random
import re

from skep.engine import Engine
from skep.errors import EngineProtocolError, EngineTimeoutError, EngineUnreachableError, NotFoundError, SkepError
from skep.models import Container
from skep.settings import ClusterSettings
from skep.watch.affected import Key, Kind
from skep.watch.common import Common
from skep.watch.counters import WatchCounters
from skep.watch.forwarder import Forwarder
from skep.watch.reads import Reads, is_id
from skep.watch.session import Known, Session
from skep.watch.view import View

__all__ = ["Watch"]

FIRST_DELAY, LAST_DELAY = 0.2, 10.0
"""Seconds between two attempts to connect: doubled each time, up to the second."""
GRACE = 1.0
"""Seconds in which a session that merely broke can be followed by the next one before anybody is told."""
LONGEST_INSPECT = 5.0
"""Seconds that one container's inspection may take, whatever the settings grant to other calls."""
STEADY = 5.0
"""Seconds after which a session was no failure."""
_WHOLE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Watch:
    """Keeps what is known of one engine true, and tells a `View` each difference.

    The engine's events only say where to look. So after any sequence of lost, doubled, late or reordered events, cut connections and restarts
    of the engine, what was told last is what is there. Knows nothing of other engines.
    """

    def __init__(self, engine: Engine, view: View, settings: ClusterSettings, common: Common | None = None) -> None:
        self.engine = engine
        self.counters = WatchCounters()
        self._view = view
        self._settings = settings
        self._common = common or Common()
        self._known = Known()
        self._forwarder = Forwarder(view.event)
        self._session: Session | None = None
        self._error: SkepError = EngineUnreachableError(f"engine {engine.address}: not connected yet")
        self._doubt: asyncio.TimerHandle | None = None
        self._failures = 0

    async def run(self) -> None:
        """Watch until cancelled. Raises only what is a bug of ours."""
        handing_on = asyncio.create_task(self._forwarder.work(), name=f"events of {self.engine.address}")
        self._common.watched += 1
        try:
            while True:
                await self._one_session()
                self.engine.reset()
        finally:
            self._common.watched -= 1
            handing_on.cancel()
            self._end_doubt()
            await asyncio.wait([handing_on])

    async def _one_session(self) -> None:
        loop = asyncio.get_running_loop()
        timeout = self._settings.call_timeout
        reads = Reads(
            self.engine, self._common.pool, list_timeout=timeout, inspect_timeout=min(timeout, LONGEST_INSPECT)
        )
        session = Session(
            reads,
            self._view,
            self._settings,
            self._known,
            self.counters,
            self._forwarder,
            self._end_doubt,
            self._common,
        )
        self._session, began = session, loop.time()
        error: SkepError = EngineUnreachableError(f"engine {self.engine.address}: this client is closed")
        try:
            await session.run()
        except BaseException as caught:
            error = _only_skep_error(caught)
        finally:
            self._session, self._error = None, error
            session.settled.set()
            session.refresher.close(error)
        self._tell(error, session)
        steady = session.is_loaded and loop.time() - began > STEADY
        self._failures = 0 if steady else self._failures + 1
        if self._failures:
            delay = min(LAST_DELAY, FIRST_DELAY * 2 ** min(self._failures - 1, 16))
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311

    def _tell(self, error: SkepError, session: Session) -> None:
        """A connection that broke may stand again at once; all else is told now."""
        merely_broke = isinstance(error, EngineUnreachableError)
        if session.is_loaded and merely_broke and self._doubt is None:
            self._doubt = asyncio.get_running_loop().call_later(GRACE, self._fail, error)
        else:
            self._fail(error)

    def _fail(self, error: SkepError) -> None:
        self._end_doubt()
        self._view.failed(error)

    def _end_doubt(self) -> None:
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None

    # -- for whoever changed something

    async def refresh_container(self, reference: str) -> Container | None:
        """Read a container again, and return when that was told to the view; None if it is gone.

        `reference`: its id, or as the engine knows it. What is read is at least as new as this call. Raises as `Engine.call`.
        """
        id_ = reference if _WHOLE_ID.fullmatch(reference) else await self._resolve(reference)
        if id_ is None:
            return None
        await self._refresh((Kind.CONTAINER, id_))
        return self._known.containers.get(id_)

    async def _resolve(self, reference: str) -> str | None:
        """The id of what the engine knows by a name or by the beginning of an id, or knew."""
        if not is_id(reference):
            raise NotFoundError(f"No such container: {reference}")
        session = self._session
        if session is None:
            raise self._error
        known = (c.id for c in self._known.containers.values() if c.name == reference or c.id.startswith(reference))
        return await session.reads.resolve(reference) or next(known, None)

    async def refresh_images(self) -> None:
        """Read the list of images again. As `refresh_container`."""
        await self._refresh((Kind.IMAGES, ""))

    async def refresh_networks(self) -> None:
        """Read the list of networks again. As `refresh_container`."""
        await self._refresh((Kind.NETWORKS, ""))

    async def refresh_volumes(self) -> None:
        """Read the list of volumes again. As `refresh_container`."""
        await self._refresh((Kind.VOLUMES, ""))

    async def _refresh(self, key: Key) -> None:
        session = self._session
        if session is None:
            raise self._error
        error = await asyncio.shield(session.refresher.ask(key, urgent=True))
        if error is None and not session.is_loaded:
            await session.settled.wait()  # it is told with all the rest
            error = None if session.is_loaded else self._error
        if error is not None:
            raise error


def _only_skep_error(caught: BaseException) -> SkepError:
    """The SkepError that ended a session. Raises `caught` again if there is anything else to it."""
    if isinstance(caught, SkepError):
        return caught
    if isinstance(caught, BaseExceptionGroup):
        ours, others = caught.split(SkepError)
        if others is None and ours is not None:
            return _first(ours)
    raise caught


def _first(group: BaseExceptionGroup[SkepError]) -> SkepError:
    """The one that tells most: rather what an engine said than that it says nothing."""
    leaves: list[SkepError] = []
    queue: list[SkepError | BaseExceptionGroup[SkepError]] = [group]
    while queue:
        each = queue.pop(0)
        if isinstance(each, BaseExceptionGroup):
            queue += each.exceptions
        else:
            leaves.append(each)
    order = (EngineProtocolError, EngineTimeoutError)
    return min(leaves, key=lambda error: 0 if isinstance(error, order) else 1)
