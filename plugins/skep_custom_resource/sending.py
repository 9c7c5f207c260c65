"""Sends answers with the agent's own HTTP client, by the rules of `protocol.put`."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from skep_custom_resource.protocol.put import Outcome, outcome_of, pauses

__all__ = ["Sender"]

_ONE_TRY = 10.0  # seconds


class Sender:
    """Opened and closed with the provider."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_ONE_TRY), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def put(self, url: str, body: bytes, seconds: float) -> Outcome:
        """Put an answer, again and again while that may help, for so many seconds; the first try is made in any case."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        for pause in pauses():
            outcome = await self._once(url, body)
            if outcome.accepted or outcome.final or loop.time() + pause >= end:
                return outcome
            await asyncio.sleep(pause)
        raise AssertionError("the pauses do not end")

    async def _once(self, url: str, body: bytes) -> Outcome:
        # encoded: the path and the query are signed as they are. An empty Content-Type is signed too.
        target = URL(url, encoded=True)
        try:
            async with self._session.put(
                target, data=body, headers={"Content-Type": ""}, allow_redirects=False
            ) as response:
                return outcome_of(response.status)
        except TimeoutError:
            return Outcome(accepted=False, why=f"no answer within {_ONE_TRY:.0f} s")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(accepted=False, why=type(error).__name__)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()
