"""TLS on the server side, with certificates that can be changed while it runs."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from skep.engine.tls import load_authorities, load_identity

__all__ = ["ServerTLS"]


class ServerTLS:
    """The certificate that a server shows, and the authorities that its clients' certificates must come from.

    cert, key: PEM files. client_ca: PEM file (None: clients need no certificate).
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path | None = None) -> None:
        self.cert = cert
        self.key = key
        self.client_ca = client_ca
        self._current: ssl.SSLContext | None = None
        self._loaded: list[tuple[int, int, int]] = []

    async def load(self) -> ssl.SSLContext:
        """Read the files into the context to serve with. Raises SettingsError naming the file."""
        await self.reload()
        outer = await asyncio.to_thread(self._read)
        outer.sni_callback = self._show_current
        return outer

    async def reload(self) -> bool:
        """Read the files again if they have changed, and tell whether they had; new connections get them.

        Raises SettingsError naming the file; what was loaded before then stays.
        """
        stamps = await asyncio.to_thread(self._stamps)
        if self._current is not None and stamps == self._loaded:
            return False
        self._current = await asyncio.to_thread(self._read)
        self._loaded = stamps
        return True

    def _show_current(self, connection: ssl.SSLObject, name: str | None, outer: ssl.SSLContext) -> None:
        # A context cannot unlearn an authority, so each change makes a new one; asyncio keeps the first.
        if self._current is not None:
            connection.context = self._current

    def _files(self) -> list[Path]:
        return [self.cert, self.key, *([self.client_ca] if self.client_ca else [])]

    def _stamps(self) -> list[tuple[int, int, int]]:
        stamps = []
        for path in self._files():
            try:
                status = path.stat()
            except OSError:
                stamps.append((0, 0, 0))  # reading it tells what is wrong
            else:
                stamps.append((status.st_mtime_ns, status.st_ino, status.st_size))
        return stamps

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A resumed session would outlive the authority that vouched for its client.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        return context

    def _read(self) -> ssl.SSLContext:
        context = self._new_context()
        load_identity(context, self.cert, self.key)
        if self.client_ca is not None:
            load_authorities(context, self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
