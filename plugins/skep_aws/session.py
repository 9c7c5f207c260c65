"""`AwsSession`: clients of aioboto3, made when they are first used, and kept; and the roles that they take on.

All of it runs in one loop, which is not the agent's: importing botocore, making a client, and reading a large answer take tens to hundreds
of milliseconds each.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from skep_aws.models import ModelFiles
from skep_aws.resolvers import Place

__all__ = ["AwsOptions", "AwsSession"]

_MOST_CLIENTS = 64
_MOST_ROLES = 256
_RENEW_BEFORE = timedelta(minutes=5)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")


_NO_KEYS = (
    "NoCredentials",
    "PartialCredentials",
    "CredentialRetrieval",
    "TokenRetrieval",
    "SSOToken",
    "UnauthorizedSSO",
)
"""How botocore's errors begin where it finds no keys: a client would never look again, but there may be some later."""


def _is_about_keys(error: Exception) -> bool:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else ""
    return code in _EXPIRED or type(error).__name__.startswith(_NO_KEYS)


@dataclass(frozen=True)
class AwsOptions:
    """What all clients have in common; "" is what botocore finds by itself. Times are in seconds."""

    region: str = ""
    endpoint_url: str = ""
    profile: str = ""
    connect_timeout: float = 3.0
    read_timeout: float = 20.0


@dataclass
class _Client:
    """One client, closed when it is retired and nobody uses it any more."""

    client: Any
    stack: AsyncExitStack
    expires: datetime | None
    users: int = 0
    is_retired: bool = False

    async def leave(self) -> None:
        self.users -= 1
        await self.close_if_idle()

    async def close_if_idle(self) -> None:
        if self.is_retired and not self.users:
            await self.stack.aclose()


@dataclass
class _Role:
    """The keys of a role that is taken on."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: dict[str, str] = field(default_factory=dict)
    expires: datetime | None = None

    @property
    def is_fresh(self) -> bool:
        return self.expires is not None and self.expires - datetime.now(UTC) > _RENEW_BEFORE


class AwsSession:
    """Carries out calls. To be used in one loop only."""

    def __init__(self, options: AwsOptions) -> None:
        self._options = options
        self._session: Any = None
        self._config: Any = None
        self._loader: Any = None
        self._clients: OrderedDict[tuple[Place, str], _Client] = OrderedDict()
        self._making: WeakValueDictionary[tuple[Place, str], asyncio.Lock] = WeakValueDictionary()
        self._roles: dict[Place, _Role] = {}

    async def call(self, place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call. Raises botocore's errors."""
        client = await self._borrow(place, service)
        try:
            from botocore import xform_name

            answer: dict[str, Any] = await getattr(client.client, xform_name(operation))(**parameters)
            return answer
        except Exception as error:
            if _is_about_keys(error):
                await self._forget(place, service)  # the next try makes it anew, with keys as they are then
            raise
        finally:
            await client.leave()

    async def _borrow(self, place: Place, service: str) -> _Client:
        """The client for a place and service; made where there is none, or its keys are about to expire."""
        key = (place, service)
        making = self._making.setdefault(key, asyncio.Lock())
        async with making:
            client = self._clients.get(key)
            if client is not None and client.expires and client.expires - datetime.now(UTC) < _RENEW_BEFORE:
                await self._retire(key)
                client = None
            if client is None:
                client = self._clients[key] = await self._make(place, service)
            self._clients.move_to_end(key)
            client.users += 1
        if len(self._clients) > _MOST_CLIENTS:
            await self._retire(next(iter(self._clients)))
        return client

    async def _make(self, place: Place, service: str) -> _Client:
        options: dict[str, Any] = {
            "config": self._opened(),
            "region_name": place.region or self._options.region or None,
        }
        if self._options.endpoint_url:
            options["endpoint_url"] = self._options.endpoint_url
        expires = None
        if place.role:
            role = await self._assumed(place)
            options |= role.keys
            expires = role.expires
        stack = AsyncExitStack()
        client = await stack.enter_async_context(self._session.client(service, **options))
        return _Client(client, stack, expires)

    def _opened(self) -> Any:
        """The configuration of clients; opens the session where that has not been done."""
        if self._session is None:
            import aioboto3
            from aiobotocore.config import AioConfig
            from aiobotocore.session import AioSession
            from botocore.loaders import Loader

            self._config = AioConfig(
                connect_timeout=self._options.connect_timeout,
                read_timeout=self._options.read_timeout,
                retries={"total_max_attempts": 1},  # tries are counted by us
                user_agent_extra="skep",
            )
            self._loader = self._loader or Loader(file_loader=ModelFiles())
            own = AioSession(profile=self._options.profile or None)
            own.register_component("data_loader", self._loader)
            self._session = aioboto3.Session(botocore_session=own)
        return self._config

    async def _assumed(self, place: Place) -> _Role:
        """A role's keys, renewed five minutes before they expire."""
        role = self._roles.setdefault(place, _Role())
        if len(self._roles) > _MOST_ROLES:
            del self._roles[next(iter(self._roles))]
        async with role.lock:
            if not role.is_fresh:
                wanted = {"RoleArn": place.role, "RoleSessionName": place.session}
                if place.external_id:
                    wanted["ExternalId"] = place.external_id
                found = (await self.call(Place(place.region), "sts", "AssumeRole", wanted))["Credentials"]
                role.keys = {
                    "aws_access_key_id": found["AccessKeyId"],
                    "aws_secret_access_key": found["SecretAccessKey"],
                    "aws_session_token": found["SessionToken"],
                }
                role.expires = found["Expiration"]
        return role

    async def _forget(self, place: Place, service: str) -> None:
        """Keys are of no use any more: a role is taken on anew, and our own are read again, as they may be others by now."""
        if place.role:
            self._roles.pop(place, None)
            stale = [key for key in self._clients if key == (place, service)]
        else:
            self._session = None
            stale = [key for key in self._clients if not key[0].role]
        for key in stale:
            await self._retire(key)

    async def warm(self, services: Iterable[str], place: Place) -> None:
        """Make clients before they are needed."""
        for service in services:
            await (await self._borrow(place, service)).leave()

    async def _retire(self, key: tuple[Place, str]) -> None:
        client = self._clients.pop(key)
        client.is_retired = True
        await client.close_if_idle()

    async def aclose(self) -> None:
        """Close all clients."""
        for key in list(self._clients):
            client = self._clients.pop(key)
            await client.stack.aclose()
        self._roles.clear()
