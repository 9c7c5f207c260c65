"""The token service: Docker's discovery protocol as HTTP routes.

`POST /v1/clusters` makes a cluster and answers its token; `GET /v1/clusters/TOKEN` is the list of addresses as JSON;
`POST /v1/clusters/TOKEN?ttl=SECONDS` adds the address in its body; `DELETE /v1/clusters/TOKEN` forgets it all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from aiohttp import web

from skep import RequestError, SettingsError, read_body, read_small_file, replace_file
from skep_discovery.clusters import Clusters

__all__ = ["TokenService"]

_LONGEST_BODY = 300  # bytes
_DEFAULT_TTL = 180  # seconds
_MOST_STATE = 64 * 2**20  # bytes of the state file


class TokenService:
    """Serves `clusters`; `state_file` keeps them over restarts (None: they end with the process)."""

    def __init__(self, clusters: Clusters, state_file: Path | None = None) -> None:
        self.clusters = clusters
        self._file = state_file
        self._saved = 0
        self._saving = asyncio.Lock()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/v1/clusters", self._create)
        router.add_get("/v1/clusters/{token}", self._list)
        router.add_post("/v1/clusters/{token}", self._register)
        router.add_delete("/v1/clusters/{token}", self._remove)

    async def load(self) -> None:
        """Read the state file, if it is there. Raises SettingsError naming it where it cannot be used."""
        if self._file is None:
            return
        try:
            data = await asyncio.to_thread(_read, self._file)
            self.clusters.load(msgspec.json.decode(data, type=dict[str, dict[str, int]]) if data else {})
        except OSError as error:
            raise SettingsError(f"discovery state file {self._file}: {error.strerror}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise SettingsError(f"discovery state file {self._file}: {error}; move it away to begin anew") from None

    async def _create(self, request: web.Request) -> web.Response:
        token = self.clusters.create()
        await self._save()
        return web.Response(text=token)

    async def _list(self, request: web.Request) -> web.Response:
        addresses = self.clusters.addresses(request.match_info["token"])
        return web.Response(body=msgspec.json.encode(addresses), content_type="application/json")

    async def _register(self, request: web.Request) -> web.Response:
        text = request.query.get("ttl", str(_DEFAULT_TTL))
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise RequestError("ttl: expected whole seconds")
        self.clusters.register(request.match_info["token"], await _address(request), int(text))
        await self._save()
        return web.Response(text="")

    async def _remove(self, request: web.Request) -> web.Response:
        self.clusters.remove(request.match_info["token"])
        await self._save()
        return web.Response(text="")

    async def _save(self) -> None:
        if self._file is None:
            return
        async with self._saving:
            version = self.clusters.version
            if version == self._saved:
                return
            try:
                # Its owner alone may read it: tokens are secrets.
                await replace_file(self._file, msgspec.json.encode(self.clusters.dump()), mode=0o600)
            except OSError as error:
                raise RequestError(f"the service cannot keep its state: {error.strerror}", status=500) from None
            self._saved = version


async def _address(request: web.Request) -> str:
    body = await read_body(request, _LONGEST_BODY, "host:port")
    try:
        return body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise RequestError("the body is not ASCII; expected host:port") from None


def _read(path: Path) -> bytes:
    try:
        return read_small_file(path, _MOST_STATE)
    except FileNotFoundError:
        return b""
