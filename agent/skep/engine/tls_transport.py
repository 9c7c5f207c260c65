"""TLS over a connection of asyncio, for either side, whose sending half can be closed alone.

asyncio's own TLS ends the whole connection when one side says that it will send no more. Docker's clients say
so at the end of their standard input and then wait for the output, and a process in a container must be told.
Source: RFC 8446, section 6.1: close_notify closes one direction.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, cast

__all__ = ["TLSTransport"]

_CHUNK = 2**18


class TLSTransport(asyncio.Transport, asyncio.Protocol):
    """The transport of `protocol`, and the protocol of the raw connection beneath it.

    The protocol's `connection_made` is called when the handshake is complete; when that fails, or takes more
    than `handshake_timeout` seconds, only the future `handshake` tells of it.
    """

    def __init__(
        self,
        protocol: asyncio.BaseProtocol,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        handshake_timeout: float = 10.0,
    ) -> None:
        loop = asyncio.get_running_loop()
        asyncio.Transport.__init__(self)
        self._protocol = protocol
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._raw: asyncio.Transport | None = None
        self._sent_end = self._received_end = self._lost = False
        self._error: Exception | None = None
        self._extra_tls = {"sslcontext": context, "ssl_object": self._tls}
        self._deadline = loop.call_later(handshake_timeout, self._fail, TimeoutError("TLS handshake timed out"))
        self.handshake: asyncio.Future[None] = loop.create_future()
        """Done when the handshake is; holds the error if it failed."""
        self.handshake.add_done_callback(lambda done: done.cancelled() or done.exception())

    # -- what the raw connection calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._raw = cast("asyncio.Transport", transport)
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        """Decrypt what came."""
        self._incoming.write(data)
        if not self.handshake.done():
            self._shake_hands()
        if self.handshake.done():
            self._deliver()

    def eof_received(self) -> bool:
        """Note the end of the raw connection; without close_notify before it, it is a cut."""
        if self.handshake.done() and self._received_end:
            return True
        self._fail(ConnectionResetError("the TLS connection was cut"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the end on."""
        self._lost = True
        self._deadline.cancel()
        if not self.handshake.done():
            self.handshake.set_exception(self._error or exc or ConnectionResetError("closed during the TLS handshake"))
        elif self.handshake.exception() is None:
            self._protocol.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        """Pass the back-pressure on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass the end of the back-pressure on."""
        self._protocol.resume_writing()

    # -- what the protocol above calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._sent_end or self.is_closing() or not data:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            self._fail(error)
        self._flush()

    def can_write_eof(self) -> bool:
        """Always: that is what this class is for."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more will be sent (close_notify); what the other side sends is still received."""
        if self._sent_end or self.is_closing():
            return
        self._sent_end = True
        # It sends, then wants the other side's end, which may take its time.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        """Send what is left and the end, then close."""
        if self._raw is not None and not self._raw.is_closing():
            if self.handshake.done():
                self.write_eof()
            self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        if self._raw is not None and not self._lost:
            self._raw.abort()

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._raw is None or self._raw.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol receive from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who receives."""
        return self._protocol

    def is_reading(self) -> bool:
        """Whether receiving is not paused."""
        return self._raw is not None and self._raw.is_reading()

    def pause_reading(self) -> None:
        """Receive no more for now."""
        if self._raw is not None:
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        if self._raw is not None:
            self._raw.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
        return self._raw.get_write_buffer_size() if self._raw is not None else 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As of the raw connection."""
        if self._raw is not None:
            self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Those of TLS, else of the raw connection."""
        if name == "peercert":
            return self._tls.getpeercert()
        if name in self._extra_tls:
            return self._extra_tls[name]
        return self._raw.get_extra_info(name, default) if self._raw is not None else default

    # -- inner parts

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ssl.CertificateError, OSError) as error:
            self._flush()  # the alert that tells the other side why
            self._fail(error)
            return
        self._flush()
        self._deadline.cancel()
        self.handshake.set_result(None)
        self._protocol.connection_made(self)

    def _deliver(self) -> None:
        protocol = cast("asyncio.Protocol", self._protocol)
        while not self._received_end:
            try:
                data = self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError as error:
                self._fail(error)
                return
            if data:
                protocol.data_received(data)
                protocol = cast("asyncio.Protocol", self._protocol)
            else:
                self._received_end = True
                if not protocol.eof_received():
                    self.close()
        self._flush()

    def _flush(self) -> None:
        if self._raw is not None and (data := self._outgoing.read()):
            self._raw.write(data)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        if not self.handshake.done():
            self.handshake.set_exception(error)
        if self._raw is not None:
            if isinstance(error, ssl.SSLError):
                self._raw.close()  # after the alert
            else:
                self.abort()
