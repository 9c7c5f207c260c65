"""The client of one Docker Engine."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import aiohttp
import msgspec
import yarl

from skep.engine.address import Address
from skep.engine.events import EventStream
from skep.engine.failures import MAX_ERROR_BODY, NETWORK_ERRORS, engine_error, translate
from skep.engine.hijack import Hijacked, HijackRequest, hijack
from skep.engine.kept import KeptConnections
from skep.engine.query import Query, target
from skep.engine.tls import TLS
from skep.engine.versions import NEWEST, OLDEST, Version, choose, parse_version, show
from skep.engine.wire import Counters, Wire
from skep.errors import EngineProtocolError, EngineUnreachableError

if TYPE_CHECKING:
    import aiodocker

__all__ = ["Engine"]

T = TypeVar("T")
_AT_ONCE = 64 * 2**10  # bytes


class _Version(msgspec.Struct):
    newest: str = msgspec.field(name="ApiVersion", default="")
    oldest: str = msgspec.field(name="MinAPIVersion", default="")


class Engine:
    """One Docker Engine: its API, spoken in the newest version that both sides know.

    address: `unix:///path`, `tcp://host:port`, `host:port`, `http(s)://host:port`.
    tls: for tcp engines with TLS; the files are read by the first call.
    connect_timeout, read_timeout: seconds until a connection stands, and until a call is answered.
    max_body: bytes of an answer that `call` and `get` hold in memory.

    Making one does no I/O and raises SettingsError for a wrong address. Close it, best by `async with`.
    Paths are without a version (`/containers/json`): the negotiated one is put before them, or `version`,
    where "" is none. Redirects are not followed. All calls raise EngineUnreachableError (no connection, or it
    broke), EngineTimeoutError (no answer in time), EngineError (an error status) and EngineProtocolError (an
    answer that is not the Engine API).
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
        self._wire = Wire(Address.parse(address, secure=tls is not None), tls, connect_timeout)
        self.read_timeout = read_timeout
        self.max_body = max_body
        self._version: str | None = None
        self._oldest: Version | None = None
        self._negotiation: asyncio.Task[str] | None = None
        self._renewing = False
        self._docker: aiodocker.Docker | None = None
        self._kept = KeptConnections(self._wire)

    def __repr__(self) -> str:
        return f"<Engine {self.address} API {self._version or 'not negotiated'}>"

    @property
    def address(self) -> str:
        """The address in its canonical form, `unix:///path` or `tcp://host:port`."""
        return self._wire.address.text

    @property
    def host(self) -> str | None:
        """The IP address of a tcp engine as last connected to; None before that, and for unix sockets."""
        return self._wire.sessions.peer if self._wire.sessions else None

    @property
    def api_version(self) -> str | None:
        """The negotiated version, such as `1.41`; None before."""
        return self._version

    @property
    def counters(self) -> Counters:
        """What this engine was asked so far."""
        return self._wire.counters

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections but hijacked ones, for good. Closing twice is harmless."""
        negotiation, docker = self._negotiation, self._docker
        self._negotiation = self._docker = None
        if negotiation is not None:
            negotiation.cancel()
            await asyncio.wait([negotiation])
        if docker is not None:
            with contextlib.suppress(Exception):  # it repeats the failure of an old event stream
                await docker.close()
        self._kept.close()
        await self._wire.close()

    # -- versions

    async def negotiate(self) -> str:
        """Agree with the engine on the newest version that both speak, and return it.

        Asked once, however many wait.
        """
        if self._version is not None:
            return self._version
        if self._negotiation is None or self._negotiation.done():
            self._negotiation = asyncio.create_task(self._agree(), name=f"negotiate {self.address}")
            # All who wait may be gone when it fails.
            self._negotiation.add_done_callback(lambda task: task.cancelled() or task.exception())
        task = self._negotiation
        await asyncio.wait([task])
        if task.cancelled():
            raise EngineUnreachableError(f"engine {self.address}: this client is closed")
        return task.result()

    def reset(self) -> None:
        """Forget what was learnt: version, address and TLS files may be others when the engine comes back."""
        self._version = self._oldest = None
        self._renewing = True
        self._kept.close()

    async def _agree(self) -> str:
        if self._renewing:
            await self._wire.renew()
            self._renewing = False
        async with self._request("GET", "/_ping", timeout=self.read_timeout) as response:
            newest, oldest = response.headers.get("Api-Version", ""), ""
            await self._read(response)
        try:
            if not newest or parse_version(newest) > NEWEST:
                told = await self.get("/version", _Version, version="")
                newest, oldest = told.newest, told.oldest
            chosen = choose(parse_version(newest), parse_version(oldest) if oldest else None)
        except ValueError as error:
            raise EngineProtocolError(f"engine {self.address}: {error}") from error
        self._version = show(chosen)
        return self._version

    async def nearest_version(self, wanted: str) -> str:
        """The version that is nearest to `wanted` among those that both sides speak: what to put before a client's own request.

        Engines drop old versions: one may demand 1.44 of a client that speaks to others in 1.24. Each is asked for its oldest once,
        when it matters. Raises as `call`, and ValueError for what is no version.
        """
        newest = parse_version(await self.negotiate())
        asked = min(parse_version(wanted), newest)
        if asked < newest and self._oldest is None:
            told = (await self.get("/version", _Version, version="")).oldest
            try:
                self._oldest = parse_version(told) if told else OLDEST
            except ValueError as error:
                raise EngineProtocolError(f"engine {self.address}: {error}") from error
        return show(asked if self._oldest is None else min(newest, max(asked, self._oldest)))

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

        json: sent as JSON. body: sent as it is. timeout: seconds for the whole call (None: the read timeout).
        """
        headers = dict(headers or {})
        if json is not None:
            body = msgspec.json.encode(json)
            headers.setdefault("Content-Type", "application/json")
        if version is None:
            version = await self.negotiate()
        seconds = self.read_timeout if timeout is None else timeout
        async with self._request(method, target(path, query, version), headers, body, seconds) as response:
            return await self._read(response)

    async def get(
        self,
        path: str,
        type: type[T],  # noqa: A002 - msgspec's word
        *,
        query: Query = None,
        timeout: float | None = None,
        version: str | None = None,
    ) -> T:
        """GET `path` and decode its JSON into `type`, which may be anything that msgspec decodes.

        Raises EngineProtocolError naming the engine, the path and the place in the JSON.
        """
        body = await self.call("GET", path, query=query, timeout=timeout, version=version)
        try:
            return msgspec.json.decode(body, type=type)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise EngineProtocolError(f"{self._wire.where('GET', path)}: unexpected answer: {error}") from error

    async def read(
        self, path: str, *, query: Query = None, timeout: float, most: int, version: str | None = None
    ) -> tuple[int, bytes]:
        """GET `path` over connections of its own, which no call and no stream delays, and return status and body, whatever the status.

        timeout: seconds for all of it. most: bytes of the body; raises EngineProtocolError beyond.
        """
        with self._wire.counted("GET", path):
            async with asyncio.timeout(timeout):
                if version is None:
                    version = await self.negotiate()
                return await self._kept.get(target(path, query, version), self._wire.where("GET", path), most=most)

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        goal: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request over the pool, all of it within `timeout` seconds."""
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=self._wire.connect_timeout)
        with self._wire.counted(method, goal):
            session = (await self._wire.open()).calls
            async with session.request(
                method, self._url(goal), data=_in_parts(body), headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                yield response

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self.max_body if response.status < 300 else MAX_ERROR_BODY
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
            where = self._wire.where(response.method, response.url.path)
            raise EngineProtocolError(f"{where}: the answer has more than {limit} bytes")
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

        However many streams there are, they never delay a call. None has a time limit but `timeout`: seconds
        until the response head is there (None: no limit). Headers go out as given; leave those for a single
        hop out. What breaks while the body is read is raised by aiohttp, and becomes ours as it leaves the
        `async with`. What `data` raises leaves it unchanged.
        """
        if version is None:
            version = await self.negotiate()
        url = self._url(target(path, query, version))
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._wire.connect_timeout)
        source = None if data is None or isinstance(data, bytes) else _Source(data)
        async with contextlib.AsyncExitStack() as stack:
            try:
                with self._wire.counted(method, path):
                    session = (await self._wire.open()).streams
                    request = session.request(
                        method,
                        url,
                        data=_in_parts(data) if data is None or isinstance(data, bytes) else source,
                        headers=headers,
                        timeout=limits,
                        allow_redirects=False,
                    )
                    async with asyncio.timeout(timeout):
                        response = await stack.enter_async_context(request)
            except EngineUnreachableError:
                if source is not None and source.error is not None:
                    raise source.error from None
                raise
            try:
                yield response
            except NETWORK_ERRORS as error:
                # Only what reading this very response raised: the caller may have troubles of its own.
                if error is not response.content.exception():
                    raise
                raise translate(error, self._wire.where(method, path)) from error

    @contextlib.asynccontextmanager
    async def events(
        self, *, since: int | str | None = None, filters: Mapping[str, list[str]] | None = None
    ) -> AsyncIterator[EventStream]:
        """Subscribe to the engine's events; within the `async with` the subscription stands.

        since: seconds since 1970 by the engine's clock, such as `"1700000000.000000001"`; what it remembers
        from then on comes first. Engines answer an instant before they subscribe: give `since` where not even
        that may be missed.
        """
        query = {"since": since, "filters": filters or None}
        async with self.stream("GET", "/events", query=query, timeout=self.read_timeout) as response:
            if response.status != 200:
                raise engine_error(response.status, await response.content.read(MAX_ERROR_BODY))
            yield EventStream(response, self._wire.where("GET", "/events"))

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
    ) -> Hijacked:
        """Make a request whose connection the engine hands over (attach, exec start); return that connection.

        headers: sent as given (None: an upgrade to tcp is asked for). timeout: seconds until the response
        head is there (None: the read timeout). Raises EngineError when the engine refuses.
        """
        if version is None:
            version = await self.negotiate()
        goal = target(path, query, version)
        request = HijackRequest(method, goal, headers, body, self._wire.where(method, path))
        with self._wire.counted(method, path):
            return await hijack(self._wire, request, self.read_timeout if timeout is None else timeout)

    @property
    def docker(self) -> aiodocker.Docker:
        """A client of the library aiodocker over our connections, closed with us.

        Raises RuntimeError before `negotiate`.
        """
        if self._version is None or self._wire.sessions is None:
            raise RuntimeError(f"engine {self.address}: await negotiate() before using docker")
        version = f"v{self._version}"
        if self._docker is None or self._docker.api_version != version:
            import aiodocker  # here, as few agents use it: 30 ms, 1.3 MB

            session = self._wire.sessions.streams
            self._docker = aiodocker.Docker(
                url=self._wire.address.origin,
                session=session,
                connector=session.connector,
                timeout=aiohttp.ClientTimeout(sock_connect=self._wire.connect_timeout),
                api_version=version,
            )
        return self._docker

    def _url(self, goal: str) -> yarl.URL:
        return yarl.URL(self._wire.address.origin + goal, encoded=True)


def _in_parts(body: bytes | None) -> io.BytesIO | bytes | None:
    """A large body as aiohttp writes it in parts: all at once it would keep the loop from its turn."""
    return body if body is None or len(body) <= _AT_ONCE else io.BytesIO(body)


class _Source:
    """The caller's data, remembering how it failed: aiohttp tells that as a failure of the connection."""

    def __init__(self, data: AsyncIterable[bytes]) -> None:
        self._data = data
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._data:
                yield chunk
        except Exception as error:
            self.error = error
            raise
