"""An authority that speaks ACME on loopback (Debian's package pebble), for whom every name is at 127.0.0.1."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_tools import free_port


class Pebble:
    """Asks for challenges at the port `http`. `url` is its directory; `ca` the file that its own certificate is checked by.
    `nonces_refused`: percent of the requests that it wants sent again."""

    def __init__(self, folder: Path, http: int, *, nonces_refused: int = 5, **config: Any) -> None:
        self.folder = folder
        self.http = http
        self.nonces_refused = nonces_refused
        self.config = config
        self.api, self.management, self.dns, self.control = (free_port() for _ in range(4))
        self.url = f"https://127.0.0.1:{self.api}/dir"
        self.ca = folder / "ca.pem"
        self.log = folder / "pebble.log"
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        """Start it; what it knew before is gone."""
        self.folder.mkdir(exist_ok=True)
        if not self.ca.exists():
            authority = Authority("pebble's own")
            certificate, key = authority.issue("127.0.0.1")
            self.ca.write_bytes(authority.pem)
            (self.folder / "cert.pem").write_bytes(certificate)
            (self.folder / "key.pem").write_bytes(key)
        own = {
            "listenAddress": f"127.0.0.1:{self.api}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(self.folder / "cert.pem"),
            "privateKey": str(self.folder / "key.pem"),
            "httpPort": self.http,
            "tlsPort": 1,
            **self.config,
        }
        (self.folder / "config.json").write_text(json.dumps({"pebble": own}))
        quiet = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PATH": "/usr/bin:/bin"}
        quiet["PEBBLE_WFE_NONCEREJECT"] = str(self.nonces_refused)
        dns = f"127.0.0.1:{self.dns}"
        await self._spawn(
            "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", dns, "-http01", "",
            "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{self.control}", env=quiet,
        )  # fmt: skip
        await self._spawn("pebble", "-config", str(self.folder / "config.json"), "-dnsserver", dns, env=quiet)
        async with asyncio.timeout(20):
            while not await self._up():
                await asyncio.sleep(0.05)

    async def _spawn(self, *argv: str, env: dict[str, str]) -> None:
        with self.log.open("ab") as log:
            self._processes.append(await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log, env=env))

    async def _up(self) -> bool:
        try:
            return bool(await self.get(self.url))
        except (OSError, aiohttp.ClientError):
            return False

    async def get(self, url: str) -> str:
        context = ssl.create_default_context(cafile=str(self.ca))
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
            return await answer.text()

    async def root(self) -> str:
        """The authority that its certificates come from, PEM."""
        return await self.get(f"https://127.0.0.1:{self.management}/roots/0")

    def orders(self) -> int:
        """How many orders it took so far."""
        return self.log.read_text().count("Added order")

    async def stop(self) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self._processes.clear()

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the plugin's `acme` table that lead to it."""
        return {"agree": True, "directory": self.url, "ca": str(self.ca), "email": "ops@example.com"}


@contextlib.asynccontextmanager
async def pebble(folder: Path, http: int, **config: Any) -> AsyncIterator[Pebble]:
    """A running one."""
    authority = Pebble(folder, http, **config)
    try:
        await authority.start()
        yield authority
    finally:
        await authority.stop()
