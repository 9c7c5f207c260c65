"""`skep join` and `skep list`: into discovery, and out of it."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from skep.cli.entry import discovery_backend
from skep.cli.options import Duration, discovery_argument, json_option, key_values
from skep.cli.output import show_json
from skep.cli.service import run_service
from skep.errors import TemporaryError

if TYPE_CHECKING:
    from skep.hooks import DiscoveryBackend

__all__ = ["join", "list_"]

_log = logging.getLogger("skep.join")
_ADVERTISE = re.compile(r"(?:\[[0-9A-Fa-f:.%a-z]+\]|[^:/\[\]\s]+):([0-9]{1,5})", re.ASCII)


@click.command("list")
@discovery_argument
@click.option("--timeout", type=Duration(), default="10s", show_default=True, help="How long to wait for the answer.")
@click.option("--discovery-opt", multiple=True, metavar="KEY=VALUE", help="Option of the discovery; repeatable.")
@json_option
def list_(discovery: str, timeout: float, discovery_opt: tuple[str, ...], as_json: bool) -> None:
    """List the engines that discovery knows, one address a line."""
    if not discovery:
        raise click.UsageError("discovery required to list a cluster, such as token://host:port/v1/TOKEN")
    if timeout <= 0:
        raise click.UsageError("--timeout should be a positive number")
    options = dict(key_values("--discovery-opt", discovery_opt))
    backend, rest = discovery_backend(discovery)
    entries = asyncio.run(_first(backend, rest, options, timeout))
    if as_json:
        show_json(entries)
    else:
        for entry in entries:
            click.echo(entry)


async def _first(backend: DiscoveryBackend, rest: str, options: dict[str, str], timeout: float) -> list[str]:
    watch: Any = backend.watch(rest, options, timeout)
    try:
        async with asyncio.timeout(timeout):
            return list(await anext(watch, ()))
    except TimeoutError:
        raise TemporaryError(f"timed out: discovery did not answer within {timeout:g} s") from None
    finally:
        await watch.aclose()


@dataclass(frozen=True, slots=True)
class _Registration:
    """Makes one address known, again and again."""

    backend: DiscoveryBackend
    rest: str
    options: dict[str, str]
    address: str
    heartbeat: float
    ttl: float
    delay: float

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[asyncio.Task[None]]:
        """Register for as long as the block lasts; yields the task, which ends only when it cannot go on."""
        task = asyncio.create_task(self._beat(), name="join")
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _beat(self) -> None:
        # Engines that start together do not ask together.
        await asyncio.sleep(random.uniform(0, self.delay))  # noqa: S311 - no secret
        known = False
        while True:
            try:
                await self.backend.register(self.rest, self.options, self.address, self.ttl)
            except TemporaryError as error:
                known = False
                _log.warning("%s; again in %g s", error, self.heartbeat)
            else:
                if not known:
                    _log.info("registered %s, every %g s", self.address, self.heartbeat)
                known = True
            await asyncio.sleep(self.heartbeat)


@click.command()
@discovery_argument
@click.option("--advertise", "--addr", default="", envvar="SWARM_ADVERTISE", metavar="HOST:PORT", help="The engine.")
@click.option("--heartbeat", type=Duration(), default="60s", show_default=True, help="How often to register.")
@click.option("--ttl", type=Duration(), default="180s", show_default=True, help="How long a registration counts.")
@click.option("--delay", type=Duration(), default="0s", show_default=True, help="Begin at a random time within this.")
@click.option("--discovery-opt", multiple=True, metavar="KEY=VALUE", help="Option of the discovery; repeatable.")
def join(
    discovery: str, advertise: str, heartbeat: float, ttl: float, delay: float, discovery_opt: tuple[str, ...]
) -> None:
    """Make an engine known to a cluster, until stopped."""
    if not discovery:
        raise click.UsageError("discovery required to join a cluster, such as token://host:port/v1/TOKEN")
    if not advertise:
        raise click.UsageError("missing mandatory --advertise flag: the engine's address, as the manager reaches it")
    port = _ADVERTISE.fullmatch(advertise)
    if port is None or not 1 <= int(port[1]) <= 65535:
        raise click.UsageError(f"--advertise should be of the form ip:port or hostname:port, not {advertise!r}")
    if delay < 0:
        raise click.UsageError("--delay should not be a negative number")
    if heartbeat < 1:
        raise click.UsageError("--heartbeat should be at least one second")
    if ttl <= heartbeat:
        raise click.UsageError("--ttl must be strictly superior to the heartbeat value")
    options = dict(key_values("--discovery-opt", discovery_opt))
    backend, rest = discovery_backend(discovery)
    registration = _Registration(backend, rest, options, advertise, heartbeat, ttl, delay)
    run_service(registration.opened, wait=asyncio.shield)
