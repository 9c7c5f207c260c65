"""Placing and creating a container: the one way in which the cluster gets a new one."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from skep.agent.doubt import find_created, leave_in_doubt, lost
from skep.agent.pull import holds_image, is_missing_image
from skep.agent.share import is_made_here, provide_image
from skep.errors import (
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    PluginError,
    SkepError,
    TemporaryError,
)
from skep.hooks import ContainerCreating
from skep.models import CPU_WEIGHT, SWARM_ID, Container
from skep.scheduler import (
    Decision,
    Placement,
    PlacementError,
    PlacementQuery,
    PlacementRequest,
    Reservation,
    Rule,
    Verdict,
    engine_body,
)

if TYPE_CHECKING:
    from skep.agent.agent import Agent
    from skep.cluster import ClusterState

__all__ = ["Created", "create_container"]

_log = logging.getLogger("skep.create")
_OTHER_SYSTEM = re.compile(r"image operating system \"([A-Za-z0-9_.-]{1,64})\" cannot be used on this platform")


class _Answer(msgspec.Struct, rename="pascal"):
    id: str
    warnings: list[str] | None = None


class _NothingSentError(Exception):
    """The engine cannot be reached, and has not got the request."""


@dataclass(frozen=True, slots=True)
class Created:
    """A new container: its id, its node's name, the engine's warnings (and ours, where wishes were given up), and the decision."""

    id: str
    node: str
    warnings: tuple[str, ...]
    placement: Placement


async def create_container(
    agent: Agent,
    request: PlacementRequest,
    *,
    client: str = "",
    platform: str = "",
    auth: str = "",
    pull: bool = True,
    replaces: Container | None = None,
) -> Created:
    """Ask the plugins, place, create on the engine, and wait until the cluster's state shows it.

    `client` names who asks. `platform` (`linux/arm64`) and `auth` (the value of `X-Registry-Auth`) are handed to the engine. With `pull` an
    image that the chosen node lacks is pulled there, or copied from another node (setting `cluster.share_images`); where that fails, the
    container goes to a node that has it. For one that was made in the cluster it goes there first, if it can. An image for another
    operating system than the node's goes to a node with the image's, by a constraint that is kept. Where it `replaces` a container, it goes
    to that one's node or nowhere, and is placed as though that one were not there; to give the engine its name is the caller's part.

    Until it returns, name, ports and resources count as taken. A node that cannot be reached is passed over once, one whose engine
    refuses as often as the setting `cluster.create_retries` says; then what the engine says is raised (EngineError). When the
    connection breaks after the request went out, the node is asked for the container, by a label of its own, before anything is raised;
    it is never created twice. Also raises as `Scheduler.place`, and what a plugin's `container_creating` raises.
    """
    creating = await agent.plugins.ask("container_creating", ContainerCreating(request, client))
    if not isinstance(creating, ContainerCreating):
        raise PluginError(f"container_creating: expected a ContainerCreating, got {type(creating).__name__}")
    request = _identified(creating.request, agent.cluster.state)
    return await _Creation(agent, request, creating.client, platform, auth, pull, replaces).run()


def _identified(request: PlacementRequest, state: ClusterState) -> PlacementRequest:
    """With the id that stays the container's own wherever it is made again, and finds it when an engine's answer is lost.

    One that it brings is kept, unless it is no id, or that of a container under way or on a node that answers: that is a copy of labels.
    And with a note of CPU shares that are a weight, which nobody could tell from whole CPUs any more.
    """
    if request.container.has_docker_weight:
        request = request.with_label(CPU_WEIGHT, str(request.container.cpu_shares))
    brought = request.container.swarm_id
    return request if brought and state.is_free_id(brought) else request.with_label(SWARM_ID, secrets.token_hex(32))


@dataclass
class _Creation:
    agent: Agent
    request: PlacementRequest
    client: str
    platform: str
    auth: str
    may_pull: bool
    replaces: Container | None = None
    passed_over: dict[str, str] = field(default_factory=dict)  # nodes and why
    tried: str = ""  # the last node
    sent: bool = False  # whether the last node may have got the request
    elsewhere_first: bool = (
        False  # whether an image that was made in the cluster calls for a node that has it, before it is pulled
    )

    async def run(self) -> Created:
        """Create it; where an engine refuses, on the next best nodes, as often as the setting `create_retries` says."""
        failure: EngineError | None = None
        for retries in range(self.agent.settings.cluster.create_retries, -1, -1):
            try:
                return await self._attempt()
            except PlacementError:
                if failure is None:
                    raise
                raise failure from None
            except EngineError as error:
                if not retries or isinstance(error, EngineProtocolError):
                    raise
                failure = error
                self.passed_over[self.tried] = f"passed over, for it refused: {error}"
        raise AssertionError("unreachable")

    async def _attempt(self) -> Created:
        """On the best node; on the next best when that cannot be reached; where the image is when it cannot be had."""
        for last in (False, True):
            self.elsewhere_first = not (last or self.agent.settings.cluster.share_images)
            reservation, decision = self._hold(*self._extra())
            try:
                return await self._carry_out(reservation, decision)
            except _NothingSentError as failure:
                if last:
                    raise failure.__cause__ or failure from None
                self.passed_over[reservation.node.name] = f"passed over, for it cannot be reached: {failure}"
                _log.warning("node %s cannot be reached, trying another one: %s", reservation.node.name, failure)
            except EngineError as error:
                if last:
                    raise
                if system := _OTHER_SYSTEM.search(error.message):  # told by a pull, too
                    self.request = self._for_system(system[1], error)
                elif is_missing_image(error):
                    return await self._create_where_image_is(error)
                else:
                    raise
        raise AssertionError("unreachable")

    def _extra(self) -> Iterator[Rule]:
        if self.replaces is not None:
            old = self.replaces
            text = f"the container that it replaces, {old.name or old.short_id}, is on node {old.node}"
            yield Rule("create", lambda q: q.keep(lambda node: node.name == old.node, text))
        if self.passed_over:
            names = self.passed_over
            yield Rule("create", lambda q: q.keep(lambda node: node.name not in names, lambda node: names[node.name]))

    def _for_system(self, system: str, error: EngineError) -> PlacementRequest:
        """The request with a constraint to the operating system that its image is for. Raises `error` where nobody reads constraints."""
        label = self.agent.expression_kinds.get("constraint")
        if label is None:
            raise error
        return self.request.with_entry("constraint", f"ostype=={system}", label)

    async def _create_where_image_is(self, missing: EngineError) -> Created:
        image = self.request.container.image

        def filter_nodes(query: PlacementQuery) -> Verdict:
            found = query.state.with_image(lambda each: holds_image(each, image))
            return Verdict(found, lambda _: f"it has no image {image}", lambda: [f"image {image}"])

        try:
            reservation, decision = self._hold(*self._extra(), Rule("create", filter_nodes))
        except PlacementError:
            if not (self.may_pull and self.elsewhere_first and is_made_here(self.agent.cluster.state, image)):
                raise missing from None
            self.elsewhere_first = False
            reservation, decision = self._hold(*self._extra())
        try:
            return await self._carry_out(reservation, decision)
        except _NothingSentError as failure:
            raise failure.__cause__ or failure from None

    def _hold(self, *extra: Rule) -> tuple[Reservation, Decision]:
        with nullcontext() if self.replaces is None else self.agent.cluster.state.without(self.replaces):
            return self.agent.decisions.hold(self.request, extra=extra, client=self.client)

    async def _carry_out(self, reservation: Reservation, decision: Decision) -> Created:
        self.tried = reservation.node.name
        try:
            created = await self._create(reservation)
        except BaseException as error:
            self.agent.decisions.failed(decision, error)
            _log.warning(
                "container %s: not created on node %s (skep decisions show %s): %s",
                self.request.container.name or "without a name", reservation.node.name, decision.id, error or "broken off",
            )  # fmt: skip
            raise
        self.agent.decisions.created(decision, created.id)
        return created

    async def _create(self, reservation: Reservation) -> Created:
        """Create on the reserved node; the reservation ends with it, or goes on in doubt."""
        node, keep = reservation.node.name, False
        try:
            answer = await self._send_pulling(reservation)
            try:
                async with self.agent.pending.on(node, f"read container {answer.id[:12]}"):
                    await self.agent.cluster.refresh_container(node, answer.id)
            except SkepError as error:  # it is there all the same
                keep = True
                _log.warning("node %s: container %s is created but cannot be read: %s", node, answer.id[:12], error)
        except EngineUnreachableError as error:
            keep = error.sent
            raise
        except (EngineTimeoutError, asyncio.CancelledError):
            keep = self.sent  # the engine may still be at it
            raise
        finally:
            if keep:
                leave_in_doubt(self.agent.cluster.state, reservation)
            else:
                reservation.release()
        return Created(answer.id, node, self._warnings(answer, reservation.placement), reservation.placement)

    def _warnings(self, answer: _Answer, placement: Placement) -> tuple[str, ...]:
        warnings = (*(answer.warnings or ()), *self.request.doubts)
        if placement.given_up and placement.node is not None:
            wishes = ", ".join(placement.given_up)
            warnings += (f"placed on {placement.node.name}; no node could satisfy what was wished: {wishes}",)
        return warnings

    async def _send_pulling(self, reservation: Reservation) -> _Answer:
        try:
            return await self._send(reservation)
        except EngineError as error:
            if not self.may_pull or not is_missing_image(error):
                raise
            missing = error
        node, image = reservation.node.name, self.request.container.image
        if self.elsewhere_first and is_made_here(self.agent.cluster.state, image):
            raise missing
        try:
            async with self.agent.pending.on(node, f"image {image}"):
                await provide_image(self.agent, image, node, platform=self.platform, auth=self.auth)
        except SkepError as error:
            known = self.agent.cluster.state.get_node(node)
            if known is None or not known.node.is_healthy:
                raise _NothingSentError(str(error)) from error
            raise EngineError(404, f"{missing.message}; node {node} cannot pull it: {error}") from None
        return await self._send(reservation)

    async def _send(self, reservation: Reservation) -> _Answer:
        """One request to the engine. What becomes of it is known when this returns or raises, as far as it can be known."""
        state, node = self.agent.cluster.state, reservation.node
        engine = self.agent.cluster.engine(node.name)
        body = engine_body(self.request, state, node)
        before = set(node.containers)
        self.sent = False
        try:
            async with self.agent.pending.on(node.name, "create"):
                await engine.negotiate()
        except (TemporaryError, EngineProtocolError) as error:
            raise _NothingSentError(str(error)) from error
        self.sent = True
        try:
            async with self.agent.pending.on(node.name, "create"):
                answer = await engine.call(
                    "POST",
                    "/containers/create",
                    query={"name": self.request.container.name or None, "platform": self.platform or None},
                    json=body,
                    headers={"X-Registry-Auth": self.auth} if self.auth else None,
                )
            return msgspec.json.decode(answer, type=_Answer)
        except EngineUnreachableError as error:
            if not error.sent:
                raise _NothingSentError(str(error)) from error
            failure: SkepError = error
        except (EngineTimeoutError, EngineProtocolError) as error:
            failure = error
        except TemporaryError as error:  # it is known not to answer: there is nobody to ask
            raise lost(node.name, error, answered=False) from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            failure = EngineProtocolError(f"node {node.name}: unreadable answer to create: {error}")
        found = await find_created(engine, node.name, self.request.container.swarm_id, before, failure)
        return _Answer(found)
