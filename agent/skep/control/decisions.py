"""What is explained: where a container would go, and the decisions that were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from skep.errors import RequestError
from skep.http import read_body
from skep.scheduler import Decision, NodeExplanation, Placement, PlacementError

if TYPE_CHECKING:
    from skep.agent import Agent

__all__ = ["add_decision_routes"]

_MOST_BODY = 4 * 2**20  # bytes


def add_decision_routes(router: web.UrlDispatcher, agent: Agent) -> None:
    """`POST /explain`, `GET /decisions`, `GET /decisions/ID` and `GET /decisions/ID/snapshot`."""
    routes = _Routes(agent)
    router.add_post("/explain", routes.explain)
    router.add_get("/decisions", routes.decisions)
    router.add_get("/decisions/{id}", routes.decision)
    router.add_get("/decisions/{id}/snapshot", routes.snapshot)


class _Routes:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def explain(self, request: web.Request) -> web.Response:
        """Where a container of this body of `POST /containers/create` (and `?name=`) would go; nothing is created.

        Each filter is asked about every node. Plugins' `container_creating` is not asked: it may act.
        """
        body = await read_body(request, _MOST_BODY)
        placing = self._agent.request(body, request.query.get("name", ""))
        message = ""
        try:
            placement: Placement | None = self._agent.scheduler.place(placing, wide=True)
        except PlacementError as error:
            placement, message = error.placement, error.summary
        assert placement is not None
        chosen = placement.node.name if placement.node is not None else None
        entries = [f"{kind}:{each.text}" for kind, found in placing.expressions.items() for each in found]
        answer = {
            "name": placing.container.name,
            "image": placing.container.image,
            "entries": entries,
            "chosen": chosen,
            "relaxed": placement.relaxed,
            "given_up": list(placement.given_up),
            "message": message,
            "warnings": list(placing.doubts),
            "nodes": _nodes(placement.explain()),
        }
        return _json(answer)

    async def decisions(self, request: web.Request) -> web.Response:
        """The last decisions, the latest first; `?name=`, `?node=` and `?failed=true` choose among them."""
        query = request.query
        failed = query.get("failed", "false")
        if failed not in ("true", "false"):
            raise RequestError(f"failed={failed}: expected true or false")
        found = [
            each.view()
            for each in self._agent.decisions
            if query.get("name", each.request.container.name) == each.request.container.name
            and query.get("node", each.answers.chosen_name) == each.answers.chosen_name
            and (failed == "false" or each.outcome in ("refused", "failed"))
        ]
        return _json(found)

    def _decision(self, request: web.Request) -> Decision:
        return self._agent.decisions.get(request.match_info["id"])

    async def decision(self, request: web.Request) -> web.Response:
        """One decision, node by node, as `POST /explain` answers."""
        decision = self._decision(request)
        return _json({**decision.view(), "message": decision.error, "nodes": _nodes(decision.answers.explain())})

    async def snapshot(self, request: web.Request) -> web.Response:
        """One decision with all that it depends on, for `skep decisions replay`."""
        decision = self._decision(request)
        data = await self._agent.snapshot(decision)
        return web.Response(body=data, content_type="application/json")


def _nodes(rows: list[NodeExplanation]) -> list[dict[str, Any]]:
    """Rows as JSON: `verdict` is `chosen`, `fits` or `refused`."""
    nodes: list[dict[str, Any]] = msgspec.to_builtins(rows)
    for node in nodes:
        node["verdict"] = "refused" if node["refused_by"] else "chosen" if node["chosen"] else "fits"
    return nodes


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
