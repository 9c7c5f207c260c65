"""What takes answers, as strict as the signed addresses of S3: an altered path or query, or a content type, is 403; over 4,096 bytes is 400."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web

__all__ = ["Issued", "Receiver"]


@dataclass
class Issued:
    """An address, and what came to it. `plan`: what the next tries are answered with: a status, "lose" (taken, but not told), "hang"."""

    url: str
    target: str
    until: float = float("inf")
    plan: deque[int | str] = field(default_factory=deque)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def answer(self) -> dict[str, Any]:
        """The first answer: CloudFormation heeds no later one."""
        return self.accepted[0]


class Receiver:
    """An HTTP server on loopback. `plan` is for addresses that are issued from then on."""

    def __init__(self) -> None:
        self._issued: dict[str, Issued] = {}
        self._runner: web.AppRunner | None = None
        self._base = ""
        self.plan: tuple[int | str, ...] = ()
        self.strangers: list[str] = []

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{rest:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def issue(self, stack_id: str, logical: str, request_id: str, seconds: float = float("inf")) -> Issued:
        """An address as CloudFormation makes them: everything that may be escaped is."""
        key = quote(f"{stack_id}|{logical}|{request_id}", safe="")
        query = f"AWSAccessKeyId=AKIA&Expires=1&x=a%2Fb%3Ac%7Cd&Signature=s%2Bg%2F{request_id[:8]}%3D"
        target = f"/{key}?{query}"
        made = Issued(self._base + target, target, time.monotonic() + seconds, deque(self.plan))
        self._issued[target] = made
        return made

    async def _take(self, request: web.Request) -> web.StreamResponse:
        issued = self._issued.get(request.raw_path)
        if issued is None:
            self.strangers.append(request.raw_path)
            return web.Response(status=403)
        body = await request.read()
        if (status := self._wrong(request, body, issued)) != 200:
            issued.refused.append(f"{status}")
            return web.Response(status=status)
        step = issued.plan.popleft() if issued.plan else 200
        if step == "hang":
            await asyncio.sleep(3600)
        if isinstance(step, int) and step != 200:
            issued.refused.append(f"{step}")
            return web.Response(status=step)
        issued.accepted.append(json.loads(body))
        issued.came.set()
        if step == "lose" and request.transport is not None:
            request.transport.close()
        return web.Response()

    def _wrong(self, request: web.Request, body: bytes, issued: Issued) -> int:
        signed = request.method == "PUT" and not request.headers.get("Content-Type") and time.monotonic() < issued.until
        if not signed or "Authorization" in request.headers:
            return 403
        if request.headers.get("Content-Length") != str(len(body)) or "Transfer-Encoding" in request.headers:
            return 411
        return 400 if len(body) > 4096 else 200
