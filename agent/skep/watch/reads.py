"""What a watch asks an engine, each answer bounded in time and size.

The answers come over connections of their own, not over the pool of calls: what a client's slow calls occupy must neither delay a look at the
state nor make an engine seem dead.
"""

from __future__ import annotations

import asyncio
import re

from skep.engine import Engine
from skep.engine.failures import engine_error
from skep.engine.query import Query
from skep.errors import EngineError, EngineProtocolError, EngineTimeoutError
from skep.models import (
    Container,
    ContainerRow,
    Image,
    Network,
    Node,
    Pool,
    Volume,
    parse_containers,
    parse_images,
    parse_networks,
    parse_node,
    parse_volumes,
)

__all__ = ["Reads", "is_id"]

_MOST_OF_A_LIST = 8 * 2**20  # bytes; a thousand containers are about 1.5 MiB
_MOST_OF_ONE = 2**20
_MOST_CONTAINERS = 20_000
_ID = re.compile(r"[0-9A-Za-z_.-]{1,128}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether this can be an id in a path."""
    return _ID.fullmatch(text) is not None


class Reads:
    """Typed reads of one engine. `name` is the node's, for errors and for the containers; `pool` has what engines have in common.

    All raise as `Engine.call`.
    """

    def __init__(self, engine: Engine, pool: Pool, *, list_timeout: float, inspect_timeout: float) -> None:
        self.engine = engine
        self.name = engine.address
        self.answered = 0.0
        """When the engine answered last, whatever, by the loop's clock."""
        self._pool = pool
        self._list_timeout = list_timeout
        self._inspect_timeout = inspect_timeout

    async def ping(self, timeout: float) -> None:
        """Return when the engine has answered, whatever."""
        loop = asyncio.get_running_loop()
        for is_last in (False, True):
            began = loop.time()
            try:
                await self._get("/_ping", timeout=timeout, most=2**10, version="")
                return
            except EngineTimeoutError:
                # Was it we who did not listen, because something held up our loop? Then it deserves a second chance.
                if is_last or loop.time() - began < timeout + 1:
                    raise
            except EngineError as error:
                if isinstance(error, EngineProtocolError):
                    raise
                return  # an error status is a sign of life, too

    async def node(self) -> Node:
        """`GET /info`."""
        data = await self._get("/info", timeout=self._list_timeout, most=_MOST_OF_ONE)
        engine = self.engine
        return parse_node(data, engine.address, ip=engine.host or "", api_version=engine.api_version or "")

    async def rows(self) -> list[ContainerRow]:
        """All containers as the engine lists them."""
        rows = parse_containers(await self._list("/containers/json", {"all": True}), self.name)
        if len(rows) > _MOST_CONTAINERS:
            raise EngineProtocolError(f"node {self.name}: its list has more than {_MOST_CONTAINERS} containers")
        for row in rows:
            if not is_id(row.id):
                raise EngineProtocolError(f"node {self.name}: its list has a container with the id {row.id[:80]!r}")
        return rows

    async def container(self, id_: str) -> Container | None:
        """One container as it is inspected; None if there is none. `id_` must be a whole id."""
        container = await self._inspect(id_)
        if container is not None and container.id != id_:
            raise EngineProtocolError(
                f"node {self.name}: asked for the container {id_}, it shows {container.id[:80]!r}"
            )
        return container

    async def resolve(self, reference: str) -> str | None:
        """The whole id of a container; None if there is none."""
        container = await self._inspect(reference)
        return None if container is None else container.id

    async def _inspect(self, reference: str) -> Container | None:
        try:
            data = await self._get(f"/containers/{reference}/json", timeout=self._inspect_timeout, most=_MOST_OF_ONE)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return Container.from_inspect(data, self.name, self._pool)

    async def images(self) -> list[Image]:
        """All images."""
        return parse_images(await self._list("/images/json"), self.name, self._pool)

    async def networks(self) -> list[Network]:
        """All networks."""
        return parse_networks(await self._list("/networks"), self.name, self._pool)

    async def volumes(self) -> list[Volume]:
        """All volumes."""
        return parse_volumes(await self._list("/volumes"), self.name, self._pool)

    async def _list(self, path: str, query: Query = None) -> bytes:
        return await self._get(path, query, timeout=self._list_timeout, most=_MOST_OF_A_LIST)

    async def _get(
        self, path: str, query: Query = None, *, timeout: float, most: int, version: str | None = None
    ) -> bytes:
        status, body = await self.engine.read(path, query=query, timeout=timeout, most=most, version=version)
        self.answered = asyncio.get_running_loop().time()
        if status >= 300:
            raise engine_error(status, body)
        return body
