"""Replacing a container by a new one that has a file's variables, so that there is always one of the two.

The old one is renamed, the new one created under its name, the old one stopped, and the new one started; then the old one is removed. Where
anything fails, the new one goes and the old one has its name back, and runs if it ran. What the agent was killed at is told by the
name of the old one and a label of the new one, see `take_up`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from skep import EngineError, NotFoundError, SkepError, TemporaryError
from skep_envfile.actions.containers import CLIENT, engine_of, known_again, may_stop, runs
from skep_envfile.actions.copying import further_networks, new_env, request_body, whole_cpus

if TYPE_CHECKING:
    from skep import Agent, Container, Engine

__all__ = ["REPLACES", "recreate", "take_up"]

REPLACES = "skep.envfile.replaces"
"""The label of the new container: the id of the old one, `:running` if that one ran."""

_ASKED = "skep.from"  # it has looked-up values, which only a new lookup tells
_ASIDE = re.compile(r"(.+)-skep-([0-9a-f]{8})")
_RESTORE_SECONDS = 30.0


async def recreate(
    agent: Agent, container: Container, values: Mapping[str, str], names: Iterable[str], timeout: float
) -> str:
    """Replace a container; return the id of the new one, or its own where it has the values already.

    values: the file's variables. names: those that it has or had, besides. Raises SkepError saying what failed and what became of the
    container.
    """
    engine = engine_of(agent, container)
    told = msgspec.json.decode(await engine.call("GET", f"/containers/{container.id}/json"))
    had = list(told["Config"].get("Env") or ())
    env = new_env(had, values, names)
    if sorted(env) == sorted(had) and container.label(_ASKED) is None:
        return container.id
    if container.auto_remove:
        raise SkepError(f"container {container.name} cannot be recreated: it is removed when it stops (--rm)")
    replacing = _Replacing(agent, engine, container, told)
    try:
        async with asyncio.timeout(timeout):
            return await replacing.run(env)
    except TimeoutError:
        raise TemporaryError(
            f"container {container.name}: not recreated within {timeout:g} s{replacing.after}"
        ) from None
    except SkepError as error:
        raise SkepError(f"container {container.name}: not recreated{replacing.after}: {error}") from error


class _Replacing:
    """One replacement. `after` says what became of the old one where it failed."""

    def __init__(self, agent: Agent, engine: Engine, old: Container, told: Mapping[str, Any]) -> None:
        self.agent = agent
        self.engine = engine
        self.old = old
        self.told = told
        self.after = "; the old one is as it was"
        self.new = ""

    async def run(self, env: Iterable[str]) -> str:
        body = await self._body(env)
        request = self.agent.request(msgspec.json.encode(body), self.old.name)
        try:
            await self._post(self.old.id, "rename", name=_aside(self.old))
            await known_again(self.agent, self.old.node, self.old.id)
            created = await self.agent.create_container(request, client=CLIENT, pull=False, replaces=self.old)
            self.new = created.id
            await self._switch()
        except BaseException:
            await _to_its_end(self._give_back())
            raise
        await _remove(self.engine, self.old.id)
        await known_again(self.agent, self.old.node, self.old.id)
        return self.new

    async def _body(self, env: Iterable[str]) -> dict[str, Any]:
        """The request for the new one, by the very image of the old one, whatever its tag is of now."""
        reference, id_ = str(self.told["Config"]["Image"]), str(self.told["Image"])
        try:
            image = msgspec.json.decode(await self.engine.call("GET", f"/images/{reference}/json"))
        except EngineError:
            image = {}
        if image.get("Id") != id_:
            image, reference = msgspec.json.decode(await self.engine.call("GET", f"/images/{id_}/json")), id_
        body = request_body(self.told, image, reference, env)
        body["Labels"][REPLACES] = f"{self.old.id}:running" if runs(self.old) else self.old.id
        node = self.agent.cluster.state.get_node(self.old.node)
        if node is not None:
            whole_cpus(body, node.node.cpus)
        return body

    async def _switch(self) -> None:
        for network, end in further_networks(self.told).items():
            asked = {"Container": self.new, "EndpointConfig": end}
            await self.engine.call("POST", f"/networks/{network}/connect", json=asked)
        if not runs(self.old):
            return
        await may_stop(self.agent, self.old, "stop")
        try:
            await self._post(self.old.id, "stop")
            await self._post(self.new, "start")
        finally:
            await known_again(self.agent, self.old.node, self.new)

    async def _post(self, id_: str, action: str, **query: str) -> None:
        # an engine may take as long as it likes to stop a container: what bounds it is the deadline of the whole
        await self.engine.call("POST", f"/containers/{id_}/{action}", query=query, timeout=24 * 3600.0)

    async def _give_back(self) -> None:
        """Have the old one as it was; `after` says if that went well."""
        try:
            new = self.new or await _successor(self.engine, self.old.name, self.old.id)
            await _restore(self.agent, self.engine, self.old, self.old.name, new, running=runs(self.old))
        except (SkepError, TimeoutError) as error:
            self.after = f"; and the old one, {_aside(self.old)}, could not be brought back ({error or 'too slow'})"


async def take_up(agent: Agent, old: Container) -> None:
    """Finish what an earlier run of the agent was killed at, if this is an old container that is still there beside its new one, or alone.

    Raises SkepError.
    """
    match = _ASIDE.fullmatch(old.name)
    if match is None or not old.id.startswith(match[2]):
        return
    engine = engine_of(agent, old)
    new = await _successor(engine, match[1], old.id)
    told = msgspec.json.decode(await engine.call("GET", f"/containers/{new}/json")) if new else {}
    if new and told["State"]["Running"]:
        await _remove(engine, old.id)
        await known_again(agent, old.node, old.id)
        return
    running = runs(old) or (bool(new) and told["Config"]["Labels"][REPLACES].endswith(":running"))
    await _to_its_end(_restore(agent, engine, old, match[1], new, running=running))


def _aside(container: Container) -> str:
    return f"{container.name}-skep-{container.id[:8]}"


async def _successor(engine: Engine, name: str, old: str) -> str:
    """The id of the container of that name if it is there to replace `old`; else "". Raises SkepError."""
    try:
        told = msgspec.json.decode(await engine.call("GET", f"/containers/{name}/json"))
    except EngineError as error:
        if error.status == 404:
            return ""
        raise
    replaces = str((told["Config"].get("Labels") or {}).get(REPLACES, ""))
    return str(told["Id"]) if replaces.removesuffix(":running") == old else ""


async def _restore(agent: Agent, engine: Engine, old: Container, name: str, new: str, *, running: bool) -> None:
    async with asyncio.timeout(_RESTORE_SECONDS):
        if new:
            await _remove(engine, new, force=True)
            await known_again(agent, old.node, new)
        try:
            told = msgspec.json.decode(await engine.call("GET", f"/containers/{old.id}/json"))
            if told["Name"].lstrip("/") != name:
                await engine.call("POST", f"/containers/{old.id}/rename", query={"name": name})
            if running and not told["State"]["Running"]:
                await engine.call("POST", f"/containers/{old.id}/start")
        except EngineError as error:
            if error.status == 404:
                raise NotFoundError("somebody has removed it") from None
            raise
        finally:
            await known_again(agent, old.node, old.id)


async def _remove(engine: Engine, id_: str, *, force: bool = False) -> None:
    try:
        await engine.call("DELETE", f"/containers/{id_}", query={"force": True} if force else None)
    except EngineError as error:
        if error.status not in (404, 409):  # it is gone, or being removed
            raise


async def _to_its_end(work: Awaitable[None]) -> None:
    """Await it, even when cancelled meanwhile; it has a deadline of its own."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                break
            cancelled = error
        except Exception:
            break
    if cancelled is not None:
        raise cancelled
    task.result()
