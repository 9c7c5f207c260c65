"""The backend `token://`: a list kept under a token at a discovery service, over HTTP.

The protocol is that of Docker's discovery service: `GET BASE/clusters/TOKEN` is a JSON list of addresses,
`POST BASE/clusters/TOKEN?ttl=SECONDS` with an address as body adds one.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from skep import SettingsError, TemporaryError
from skep_discovery.entries import parse_entries, parse_entry
from skep_discovery.watching import poll

if TYPE_CHECKING:
    import aiohttp

__all__ = ["TokenBackend", "TokenUrl"]

_MOST_BYTES = 2**20
_SECONDS = 10.0
_OPTIONS = ("token.plain", "token.cacertfile")


@dataclass(frozen=True, slots=True)
class TokenUrl:
    """Where a cluster's list is: `url` is for requests, `shown` for messages (a token is a secret)."""

    url: str
    shown: str

    @classmethod
    def parse(cls, rest: str, *, service: str = "", plain: bool = False) -> TokenUrl:
        """Read what follows `token://`: `TOKEN` at `service`, or `host:port[/path]/TOKEN`, whose path is `/v1` where none is given.

        Plain http is for loopback addresses, with `plain`, and where `service` says so. Raises SettingsError.
        """
        place, _, token = rest.rstrip("/").rpartition("/")
        if not token:
            raise SettingsError("discovery token://: the token is empty; make one with skep create")
        if not (token.isascii() and token.replace("-", "").replace("_", "").isalnum() and len(token) <= 128):
            raise SettingsError("discovery token://: a token has letters, digits, - and _, and at most 128 of them")
        if place:
            scheme = "http" if plain or _is_loopback(place) else "https"
            base = _base(f"{scheme}://{place}")
        elif service:
            base = _base(service)
        else:
            raise SettingsError(
                "discovery token://TOKEN: which service? Write token://host:port/v1/TOKEN, set plugins.discovery.service, "
                "or the environment's SKEP_DISCOVERY_SERVICE=http://host:port"
            )
        return cls(f"{base}/clusters/{token}", f"{base}/clusters/{token[:4]}…")


class TokenBackend:
    """`token://TOKEN` and `token://host:port/v1/TOKEN`. `service` is the URL of the service for the first form."""

    def __init__(self, service: str = "") -> None:
        self.service = service

    def watch(self, rest: str, options: Mapping[str, str], heartbeat: float) -> AsyncIterator[Sequence[str]]:
        """Yield the addresses now and whenever they change; a service that fails later leaves the last list."""
        url = self._url(rest, options)

        async def ask() -> list[str]:
            return _entries(await _call("GET", url, options), url)

        return poll(ask, heartbeat)

    async def register(self, rest: str, options: Mapping[str, str], address: str, ttl: float) -> None:
        """Make an address known for `ttl` seconds. Raises TemporaryError when the service does not take it."""
        try:
            parse_entry(address)
        except ValueError as error:
            raise SettingsError(f"address to register: {error}") from None
        await _call("POST", self._url(rest, options), options, ttl=max(1, round(ttl)), body=address)

    def _url(self, rest: str, options: Mapping[str, str]) -> TokenUrl:
        for name in options:
            if name.startswith("token.") and name not in _OPTIONS:
                raise SettingsError(f"unknown discovery option {name}; known are {', '.join(_OPTIONS)}")
        plain = options.get("token.plain", "false")
        if plain not in ("true", "false"):
            raise SettingsError(f"discovery option token.plain={plain}: expected true or false")
        return TokenUrl.parse(rest, service=self.service, plain=plain == "true")


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises for what is no port
    except ValueError as error:
        raise SettingsError(f"discovery service {url!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise SettingsError(f"discovery service {url!r}: expected http://host:port or https://host:port/path")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/') or '/v1'}"


def _is_loopback(place: str) -> bool:
    try:
        host = urlsplit(f"//{place}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _entries(body: bytes, url: TokenUrl) -> list[str]:
    try:
        return sorted(parse_entries(msgspec.json.decode(body, type=list[str]), ranges=False))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TemporaryError(
            f'discovery {url.shown}: expected a JSON list of addresses such as ["10.0.0.1:2375"]: {error}'
        ) from None


async def _call(
    method: str, url: TokenUrl, options: Mapping[str, str], *, ttl: int | None = None, body: str | None = None
) -> bytes:
    import aiohttp  # here: listing nodes:// should not wait for it

    tls = await asyncio.to_thread(_tls, options) if url.url.startswith("https") else True
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.request(
                method,
                url.url,
                params=None if ttl is None else {"ttl": ttl},
                data=body,
                ssl=tls,
                allow_redirects=False,
            ) as response,
        ):
            answer = await _bounded(response, url)
            if response.status not in (200, 201, 204):
                raise TemporaryError(f"discovery {url.shown}: {_refusal(response.status, answer)}")
            return answer
    except TimeoutError:
        raise TemporaryError(f"discovery {url.shown}: no answer in {_SECONDS:.0f} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise TemporaryError(f"discovery {url.shown}: {_cause(error)}") from None


def _cause(error: Exception) -> str:
    """The error in a few words; aiohttp's own have the address again, and not what the system said."""
    failed = getattr(error, "os_error", error)
    if isinstance(failed, OSError) and failed.errno in errno.errorcode:
        return f"cannot connect: {os.strerror(failed.errno or 0)}"
    return str(error) or type(error).__name__


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    from pathlib import Path

    from skep import TLS

    ca = options.get("token.cacertfile")
    return TLS(ca=Path(ca) if ca else None).ssl_context()


async def _bounded(response: aiohttp.ClientResponse, url: TokenUrl) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        answer += chunk
        if len(answer) > _MOST_BYTES:
            raise TemporaryError(f"discovery {url.shown}: the answer has more than {_MOST_BYTES} bytes")
    return bytes(answer)


def _refusal(status: int, answer: bytes) -> str:
    if status == 404:
        return "the service does not know this token (status 404); make one with skep create"
    text = " ".join(answer[:200].decode("utf-8", "replace").split())
    return f"status {status}: {text}" if text.isprintable() and text else f"status {status}"
