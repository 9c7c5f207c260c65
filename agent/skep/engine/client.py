"""The client of one Docker Engine."""

from __future__ import annotations

import asyncio
import contextlib
import json as json_module
import re
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec
import yarl

from skep.engine import hijack as hijacking
from skep.engine.address import Address
from skep.engine.events import EventStream
from skep.engine.failures import engine_error, translate
from skep.engine.sessions import Sessions
from skep.engine.tls import TLS
from skep.engine.versions import NEWEST, choose, parse_version, show
from skep.errors import EngineError, EngineProtocolError, EngineUnreachableError, RequestError

if TYPE_CHECKING:
    import aiodocker

__all__ = ["Counters", "Engine", "Query"]

T = TypeVar("T")

Query = Mapping[str, object] | str | None
"""A query: a mapping (True and False become 1 and 0, maps and lists become JSON, as `filters` wants), or one already encoded."""

_TARGET = re.compile(r"/[!-~]*", re.ASCII)
_MAX_ERROR = 2**16


@dataclass(slots=True)
class Counters:
    """What an engine was asked: requests sent (calls, streams and hijacks), failed ones, seconds until each was answered."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0


class _Version(msgspec.Struct):
    api: str = msgspec.field(name="ApiVersion", default="")
    oldest: str = msgspec.field(name="MinAPIVersion", default="")


class Engine:
    """One Docker Engine: its API, spoken in the newest version that both sides know.

    address: `unix:///path`, `tcp://host:port`, `host:port`, `http(s)://host:port`. tls: needed for tcp engines with TLS.
    connect_timeout, read_timeout: seconds until a connection stands, and until a call is answered.
    max_body: bytes of an answer that `call` and `get` hold in memory.

    Making one does no I/O but reading the TLS files (SettingsError); it must be closed: `async with Engine(…) as engine:`.
    Paths are without a version (`/containers/json`); it is put before them (`version` overrides it, `""` leaves it out).
    All methods raise EngineUnreachableError (no connection, or it broke), EngineTimeoutError (no answer in time),
    EngineError (an error status) and EngineProtocolError (an answer that is not the Engine API). Redirects are not followed.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: TLS | None = None,
        connect_timeout: float = 2.0,
        read_timeout: float = 30.0,
        max_body: int = 64 * 2**20,
    ) -> None:
        self._address = Address.parse(address, secure=tls is not None)
        self._context: ssl.SSLContext | None = (tls or TLS()).ssl_context() if self._address.secure else None
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.max_body = max_body
        self.counters = Counters()
        self._version: str | None = None
        self._negotiation: asyncio.Task[str] | None = None
        self._sessions: Sessions | None = None
        self._docker: aiodocker.Docker | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Engine {self.address} API {self._version or 'not negotiated'}>"

    @property
    def address(self) -> str:
        """The address in its canonical form, `unix:///path` or `tcp://host:port`."""
        return self._address.text

    @property
    def host(self) -> str | None:
        """The IP address of a tcp engine, as last connected to; None for unix sockets and before the first connection."""
        return self._sessions.peer if self._sessions else None

    @property
    def api_version(self) -> str | None:
        """The negotiated version, such as `1.41`; None before."""
        return self._version

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections but hijacked ones. The engine cannot be used again; closing twice is harmless."""
        self._closed = True
        if self._negotiation is not None:
            self._negotiation.cancel()
            await asyncio.wait([self._negotiation])
        docker, self._docker = self._docker, None
        sessions, self._sessions = self._sessions, None
        if docker is not None:
            with contextlib.suppress(Exception):  # it repeats the failure of an old event stream
                await docker.close()
        if sessions is not None:
            await sessions.close()

    # -- versions

    async def negotiate(self) -> str:
        """Agree with the engine on the newest version that both speak (asked once, however many wait) and return it."""
        if self._version is not None:
            return self._version
        if self._negotiation is None or self._negotiation.done():
            self._negotiation = asyncio.create_task(self._agree(), name=f"negotiate {self.address}")
            # Waiters may all be gone when it fails.
            self._negotiation.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._negotiation)

    def reset(self) -> None:
        """Forget the negotiated version and the resolved name: another engine may answer now."""
        self._version = None
        self._docker = None
        if self._sessions is not None:
            self._sessions.forget_names()

    async def _agree(self) -> str:
        async with self._request("GET", "/_ping", version="", timeout=self.read_timeout) as response:
            answer = response.headers.get("Api-Version", "")
            await self._read(response)
        oldest = None
        try:
            if not answer or parse_version(answer) > NEWEST:
                told = await self.get("/version", _Version, version="")
                answer, oldest = told.api, parse_version(told.oldest) if told.oldest else None
            self._version = show(choose(parse_version(answer), oldest))
        except ValueError as error:
            raise EngineProtocolError(f"engine {self.address}: {error}") from error
        return self._version

    # -- calls

    async def ping(self, timeout: float | None = None) -> None:
        """Return if the engine answers within `timeout` seconds (None: the read timeout)."""
        await self.call("GET", "/_ping", version="", timeout=timeout)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query = None,
        json: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        version: str | None = None,
    ) -> bytes:
        """Make one call and return the body of its answer.

        json: sent as JSON; body: sent as it is. timeout: seconds for the whole call (None: the read timeout).
        """
        headers = dict(headers or {})
        if json is not None:
            body = msgspec.json.encode(json)
            headers.setdefault("Content-Type", "application/json")
        if version is None:
            version = await self.negotiate()
        total = self.read_timeout if timeout is None else timeout
        async with self._request(method, path, query, headers, body, total, version) as response:
            return await self._read(response)

    async def get(
        self,
        path: str,
        type: type[T],  # noqa: A002 - the word that msgspec uses
        *,
        query: Query = None,
        timeout: float | None = None,
        version: str | None = None,
    ) -> T:
        """GET `path` and decode its JSON into `type` (anything that msgspec decodes).

        Raises EngineProtocolError naming the engine, the path and the place in the JSON.
        """
        body = await self.call("GET", path, query=query, timeout=timeout, version=version)
        try:
            return msgspec.json.decode(body, type=type)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise EngineProtocolError(
                f"{self._where('GET', path)}: the answer is not as it should be: {error}"
            ) from error

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Query = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
        version: str = "",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request over the pool, its failures translated."""
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=self.connect_timeout)
        url = self._url(path, query, version)
        with self._counted(method, path):
            session = self._open().calls
            async with session.request(
                method, url, data=body, headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                yield response

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = _MAX_ERROR if response.status >= 400 else self.max_body
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                # Not read to its end, so the connection cannot serve another call.
                response.close()
                break
        if response.status >= 300:
            raise engine_error(response.status, b"".join(chunks))
        if size > limit:
            where = self._where(response.method, response.url.path)
            raise EngineProtocolError(f"{where}: the answer is longer than {limit} bytes")
        return b"".join(chunks)

    # -- streams

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | AsyncIterable[bytes] | None = None,
        timeout: float | None = None,
        version: str | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make one request and hand out the response as it comes, whatever its status, its body untouched.

        It has a connection of its own kind: any number of streams never delay a call, and none has a time limit but
        `timeout`, in seconds, until the response head is there (None: none). Headers go out as given; filter those of
        single hops before. Reading the body raises aiohttp's errors, which become ours as they leave the `async with`.
        """
        if version is None:
            version = await self.negotiate()
        url = self._url(path, query, version)
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self.connect_timeout)
        where = self._where(method, path)
        async with contextlib.AsyncExitStack() as stack:
            with self._counted(method, path):
                request = self._open().streams.request(
                    method, url, data=data, headers=headers, timeout=limits, allow_redirects=False
                )
                async with asyncio.timeout(timeout):
                    response = await stack.enter_async_context(request)
            try:
                yield response
            except (aiohttp.ClientError, OSError) as error:
                # Only what reading this very response raised: the caller may have trouble of another kind.
                if error is not response.content.exception():
                    raise
                raise translate(error, where) or EngineUnreachableError(where) from error

    @contextlib.asynccontextmanager
    async def events(
        self, *, since: int | str | None = None, filters: Mapping[str, list[str]] | None = None
    ) -> AsyncIterator[EventStream]:
        """Subscribe to the engine's events; within the `async with` the subscription stands.

        since: seconds since 1970 by the engine's clock (`"1700000000.000000001"`); what it remembers from then on comes first.
        Engines answer an instant before they subscribe, so give `since` where not even that may be missed.
        """
        query: dict[str, object] = {}
        if since is not None:
            query["since"] = str(since)
        if filters:
            query["filters"] = dict(filters)
        where = self._where("GET", "/events")
        async with self.stream("GET", "/events", query=query, timeout=self.read_timeout) as response:
            if response.status != 200:
                raise engine_error(response.status, await response.content.read(_MAX_ERROR))
            yield EventStream(response, where)

    async def hijack(
        self,
        method: str,
        path: str,
        *,
        query: Query = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float | None = None,
        version: str | None = None,
    ) -> hijacking.Hijacked:
        """Make a request whose connection the engine hands over (attach, exec start), and return that connection.

        headers: sent as given (None: an upgrade to tcp is asked for). timeout: seconds until the response head is there
        (None: the read timeout). Raises EngineError when the engine refuses.
        """
        if version is None:
            version = await self.negotiate()
        url = self._url(path, query, version)
        fields = {"Host": self._address.authority, **(hijacking.UPGRADE if headers is None else headers)}
        if body and not any(name.lower() == "content-type" for name in fields):
            fields["Content-Type"] = "application/json"
        with self._counted(method, path):
            try:
                async with asyncio.timeout(self.connect_timeout):
                    streams = await hijacking.connect(self._address, self._context)
            except TimeoutError as error:
                raise EngineUnreachableError(f"{self._where(method, path)}: no connection in time") from error
            try:
                async with asyncio.timeout(self.read_timeout if timeout is None else timeout):
                    return await hijacking.take_over(
                        streams, method, url.raw_path_qs, fields, body, self._where(method, path)
                    )
            except BaseException:
                streams[1].transport.abort()
                raise

    @property
    def docker(self) -> aiodocker.Docker:
        """A client of the library aiodocker over our connections, closed with us. Raises RuntimeError before `negotiate`."""
        if self._version is None:
            raise RuntimeError(f"engine {self.address}: negotiate() first, then use docker")
        if self._docker is None:
            import aiodocker  # here, because it costs 10 MB of memory

            session = self._open().streams
            self._docker = aiodocker.Docker(
                url=self._address.origin,
                session=session,
                connector=session.connector,
                timeout=aiohttp.ClientTimeout(sock_connect=self.connect_timeout),
                api_version=f"v{self._version}",
            )
        return self._docker

    # -- inner parts

    def _open(self) -> Sessions:
        if self._closed:
            raise EngineUnreachableError(f"engine {self.address}: this client is closed")
        if self._sessions is None:
            self._sessions = Sessions(self._address, self._context, self.connect_timeout)
        return self._sessions

    def _url(self, path: str, query: Query, version: str) -> yarl.URL:
        encoded = query if isinstance(query, str) else encode_query(query)
        target = f"/v{version}{path}" if version else path
        if (
            not _TARGET.fullmatch(target)
            or "?" in path
            or "#" in path
            or not _TARGET.fullmatch("/" + encoded)
        ):
            raise RequestError(f"invalid path or query: {target[:200]!r}")
        return yarl.URL(f"{self._address.origin}{target}{'?' if encoded else ''}{encoded}", encoded=True)

    def _where(self, method: str, path: str) -> str:
        return f"engine {self.address}: {method} {path[:200]}"

    @contextlib.contextmanager
    def _counted(self, method: str, path: str) -> Iterator[None]:
        """Count and time a request, and translate its failure."""
        self.counters.calls += 1
        started = time.perf_counter()
        try:
            yield
        except EngineError as error:
            self.counters.errors += error.status >= 500
            raise
        except (aiohttp.ClientError, OSError, EOFError, asyncio.LimitOverrunError) as error:
            self.counters.errors += 1
            raise translate(error, self._where(method, path)) or error from error
        finally:
            self.counters.seconds += time.perf_counter() - started


def encode_query(query: Mapping[str, object] | None) -> str:
    """A mapping as a query: True and False are 1 and 0, None is left out, maps and lists are JSON."""
    pairs = []
    for key, value in (query or {}).items():
        if isinstance(value, bool):
            pairs.append((key, "1" if value else "0"))
        elif isinstance(value, Mapping | list | tuple):
            pairs.append((key, json_module.dumps(value, separators=(",", ":"))))
        elif value is not None:
            pairs.append((key, str(value)))
    return urlencode(pairs)
