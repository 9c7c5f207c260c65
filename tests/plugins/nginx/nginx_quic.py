"""A client of HTTP/3."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

from tests.plugins.nginx.nginx_certificates import Authority

ANSWER = 5.0


@dataclass(frozen=True)
class H3Answer:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class _Open:
    headers: dict[str, str]
    body: bytes
    done: asyncio.Future[None]


class H3Client(QuicConnectionProtocol):
    """One connection, for any number of requests."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._http = H3Connection(self._quic)
        self._open: dict[int, _Open] = {}
        self._ended: ConnectionError | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        """Sort what comes to the requests."""
        if isinstance(event, ConnectionTerminated):
            self._ended = ConnectionError(f"{event.error_code}: {event.reason_phrase}")
            for request in self._open.values():
                if not request.done.done():
                    request.done.set_exception(self._ended)
            return
        for each in self._http.handle_event(event):
            if not isinstance(each, HeadersReceived | DataReceived) or each.stream_id not in self._open:
                continue
            request = self._open[each.stream_id]
            if isinstance(each, HeadersReceived):
                request.headers |= {name.decode(): value.decode() for name, value in each.headers}
            else:
                request.body += each.data
            if each.stream_ended:
                request.done.set_result(None)

    async def ask(
        self,
        host: str,
        path: str = "/",
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> H3Answer:
        """One request. Raises ConnectionError where the connection ends, TimeoutError where nothing comes."""
        if self._ended:
            raise self._ended
        stream = self._quic.get_next_available_stream_id()
        request = self._open[stream] = _Open({}, b"", asyncio.get_running_loop().create_future())
        asked = {":method": method, ":scheme": "https", ":authority": host, ":path": path, **headers}
        self._http.send_headers(stream, [(k.encode(), v.encode()) for k, v in asked.items()], end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        async with asyncio.timeout(ANSWER):
            await request.done
        return H3Answer(int(request.headers[":status"]), request.headers, request.body.decode())


@contextlib.asynccontextmanager
async def h3(port: int, host: str, authority: Authority) -> AsyncIterator[H3Client]:
    """Shake hands for a host. Raises ConnectionError where that is refused."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=host, idle_timeout=30)
    configuration.load_verify_locations(cadata=authority.pem)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=H3Client) as client:
        assert isinstance(client, H3Client)
        yield client
