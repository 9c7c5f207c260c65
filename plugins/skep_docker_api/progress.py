"""Progress of several nodes as one stream of JSON lines, as `docker pull`, `load` and `import` show it.

Each line's `id` is a node's name, or `node: layer`, so that a terminal shows one line for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from skep import EngineError, EngineProtocolError

__all__ = ["Progress", "json_lines", "raise_for_error", "raise_for_status"]

_MAX_LINE = 2**20
_MAX_ERROR = 2**16


class Progress:
    """The client's end of the stream. `add` may be called by several tasks; a client that does not read holds them all back."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self._lock = asyncio.Lock()

    async def add(self, line: dict[str, Any]) -> None:
        """Send one line."""
        async with self._lock:
            if not self.response.prepared:
                await self.response.prepare(self._request)
            await self.response.write(msgspec.json.encode(line) + b"\r\n")

    async def add_from(self, node: str, title: str, line: dict[str, Any]) -> None:
        """Send a line that an engine sent, under its node's name; a step of the whole becomes `title : step`. Raises EngineError."""
        raise_for_error(line)
        text = str(line.get("status") or line.get("stream") or "").strip()
        if "progressDetail" in line or "progress" in line:
            kept: dict[str, Any] = {key: line[key] for key in ("progress", "progressDetail") if key in line}
            await self.add({"status": text, "id": f"{node}: {line.get('id', '')}".removesuffix(": "), **kept})
        elif text:
            shown = f"{line['id']}: {text}" if line.get("id") else text
            await self.add({"status": f"{title} : {shown}" if title else shown, "id": node})

    async def finish(self, errors: dict[str, str]) -> web.StreamResponse:
        """End the stream, with an error line where nodes failed (`errors`: their names and why)."""
        if errors:
            message = "\n".join(f"{node}: {text}" for node, text in errors.items())
            await self.add({"error": message, "errorDetail": {"code": 1, "message": message}})
        if not self.response.prepared:
            await self.response.prepare(self._request)
        await self.response.write_eof()
        return self.response


def raise_for_error(line: dict[str, Any]) -> None:
    """Raise EngineError where an engine's line of progress says that it failed."""
    if "error" in line or "errorDetail" in line:
        detail = line.get("errorDetail")
        message = detail.get("message") if isinstance(detail, dict) else None
        raise EngineError(500, str(message or line.get("error") or "failed"))


async def json_lines(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The objects of an engine's stream, one a line; lines that are none are passed over. Raises EngineProtocolError for endless ones."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if (value := _decoded(line)) is not None:
                yield value
        if len(rest) > _MAX_LINE:
            raise EngineProtocolError(f"the engine sent a line of more than {_MAX_LINE} bytes")
    if (value := _decoded(rest)) is not None:
        yield value


def _decoded(line: bytes) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


async def raise_for_status(response: aiohttp.ClientResponse) -> None:
    """Raise EngineError, in the engine's words, where its answer is an error."""
    if response.status < 300:
        return
    body = await response.content.read(_MAX_ERROR)
    told = _decoded(body) or {}
    raise EngineError(response.status, str(told.get("message") or body.decode("utf-8", "replace").strip() or "failed"))
