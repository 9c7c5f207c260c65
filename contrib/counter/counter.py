"""The article's counter: a web page that counts how often it was asked for, in Redis, PostgreSQL or memory.

REDIS_URL or POSTGRES_URL (host:port, or a full URL) names the database; PORT the port to listen on (80).
"""

import asyncio
import contextlib
import itertools
import logging
import os
from functools import partial
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import redis.asyncio
from aiohttp import web

_SECONDS = 2  # A database that takes longer counts as away.
_AWAY = (OSError, redis.RedisError, asyncpg.PostgresError, asyncpg.InterfaceError)
_COUNTER: web.AppKey["Counter"] = web.AppKey("counter")

_TABLE = "CREATE TABLE IF NOT EXISTS counter (name text PRIMARY KEY, value bigint NOT NULL)"
_INCREMENT = """INSERT INTO counter VALUES ('counter', 1)
    ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value"""


class MemoryCounter:
    """Counts for as long as the process lives."""

    place = "memory"

    def __init__(self) -> None:
        self._counts = itertools.count(1)

    async def increment(self) -> int:
        return next(self._counts)


class RedisCounter:
    """Counts in the key `counter` of a Redis server."""

    def __init__(self, url: str) -> None:
        url = url if "://" in url else f"redis://{url}"
        self.place = f"Redis at {_address(url, 6379)}"
        self._redis = redis.asyncio.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)

    async def increment(self) -> int:
        return int(await self._redis.incr("counter"))


class PostgresCounter:
    """Counts in the table `counter` of a PostgreSQL database, which it makes when missing."""

    def __init__(self, url: str) -> None:
        url = url if "://" in url else f"postgresql://postgres@{url}/postgres"
        self.place = f"PostgreSQL at {_address(url, 5432)}"
        self._connect = partial(asyncpg.connect, url, timeout=_SECONDS, command_timeout=_SECONDS)
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    async def increment(self) -> int:
        async with self._turn, asyncio.timeout(2 * _SECONDS):
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            try:
                return int(await self._connection.fetchval(_INCREMENT))
            except asyncpg.UndefinedTableError:
                with contextlib.suppress(asyncpg.UniqueViolationError):  # Another counter made it just now.
                    await self._connection.execute(_TABLE)
                return int(await self._connection.fetchval(_INCREMENT))
            except TimeoutError:
                self._connection.terminate()
                raise


Counter = MemoryCounter | RedisCounter | PostgresCounter


def counter_from(environment: dict[str, str]) -> Counter:
    """The counter that the environment asks for."""
    if url := environment.get("REDIS_URL"):
        return RedisCounter(url)
    url = environment.get("POSTGRES_URL")
    return PostgresCounter(url) if url else MemoryCounter()


async def show(request: web.Request) -> web.Response:
    """GET /: count, and show the count as text, or as JSON to those who accept that."""
    counter = request.app[_COUNTER]
    try:
        count = await counter.increment()
    except _AWAY as error:
        logging.warning("%s is away: %r", counter.place, error)
        text = f"The count is in {counter.place}, which is away ({type(error).__name__}); try again soon.\n"
        return web.Response(text=text, status=503, headers={"Retry-After": "1"})
    if "application/json" in request.headers.get("Accept", ""):
        return web.json_response({"count": count})
    return web.Response(text=f"{count}\n")


def application(counter: Counter) -> web.Application:
    """The web service around a counter."""
    app = web.Application()
    app[_COUNTER] = counter
    app.router.add_get("/", show, allow_head=False)
    return app


def _address(url: str, port: int) -> str:
    """Host and port only: what people may see of a URL with a password."""
    return f"{urlsplit(url).hostname}:{urlsplit(url).port or port}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    chosen = counter_from(dict(os.environ))
    logging.info("counting in %s", chosen.place)
    web.run_app(application(chosen), port=int(os.environ.get("PORT", "80")), shutdown_timeout=5, print=None)
