"""`Backend`: what the resolvers call AWS through in the agent: paced, tried again, and never in the agent's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from skep_aws.pace import Pace, pause
from skep_aws.resolvers import TEMPORARY, Place, told
from skep_aws.session import AwsOptions, AwsSession
from skep_aws.thread import LoopThread

__all__ = ["Backend"]

_MOST_PACES = 1000


class Backend:
    """Carries out calls for resolvers.

    attempts: how often a call is tried where AWS is throttling or away. rates: calls a second, by service; `default` for all others.
    role: taken on where a lookup names none, with `external_id`.
    """

    def __init__(
        self,
        options: AwsOptions,
        *,
        attempts: int = 4,
        rates: Mapping[str, float],
        role: str = "",
        external_id: str = "",
    ) -> None:
        self._thread = LoopThread("skep aws")
        self._session = AwsSession(options)
        self._attempts = attempts
        self._rates = rates
        self._own = Place(options.region, role=role, external_id=external_id)
        self._paces: dict[tuple[str, str, str], Pace] = {}

    async def call(self, place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call. Raises AwsError; the last one where none of the tries went well."""
        if self._own.role and not place.role:
            place = replace(place, role=self._own.role, external_id=self._own.external_id)
        pace = self._pace(place, service)
        tries = 0
        while True:
            await pace.wait()
            try:
                return await self._thread.run(self._session.call(place, service, operation, parameters))
            except Exception as failure:
                error = told(f"{service}:{operation}", failure)
            tries += 1
            if error.kind != TEMPORARY or tries >= self._attempts:
                raise error
            delay = pause(tries)
            if error.is_throttled:
                pace.slow_down(delay)
            await asyncio.sleep(delay)

    async def warm(self, services: Iterable[str]) -> None:
        """Make the clients of these services, which takes a tenth of a second or more, before they are needed."""
        await self._thread.run(self._session.warm(services, self._own))

    def _pace(self, place: Place, service: str) -> Pace:
        """AWS counts by account, region and service."""
        key = (place.region, place.role, service)
        if key not in self._paces:
            if len(self._paces) >= _MOST_PACES:
                del self._paces[next(iter(self._paces))]
            self._paces[key] = Pace(self._rates.get(service, self._rates["default"]))
        return self._paces[key]

    async def aclose(self) -> None:
        """Close all connections, and end the thread."""
        if self._thread.is_running:
            await self._thread.run(self._session.aclose())
        await self._thread.stop()
