"""The plugin: judges requests, writes the log, learns."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from skep import (
    ApiAnswered,
    ApiRequest,
    Client,
    Container,
    Metric,
    NotFoundError,
    PlacementQuery,
    Plugin,
    PluginSettings,
    RequestError,
    Verdict,
    format_time,
)
from skep_policy.audit import AuditLog
from skep_policy.images import whole_name
from skep_policy.judging import NODES, judge, named
from skep_policy.learning import Learner
from skep_policy.operations import is_changing
from skep_policy.settings import PolicySettings, Rule

if TYPE_CHECKING:
    import click
    from aiohttp import web

__all__ = ["PolicyPlugin"]

_TOLD = 5  # findings in one answer
_RULE = re.compile(r"policy: rule (\S+) ")


class PolicyPlugin(Plugin):
    """Decides who may do what."""

    Settings = PolicySettings
    settings: PolicySettings
    name = "policy"

    def __init__(self, settings: PluginSettings | None = None) -> None:
        super().__init__(settings)
        self.learner = Learner()
        self.refused = 0
        self._owners = frozenset(rule.label[0] for rule in self.settings.rules.values()) - {""}
        self._audit: AuditLog | None = None

    @property
    def audit(self) -> AuditLog | None:
        """The log of changing calls, if there is one."""
        if self._audit is None and self.settings.audit:
            own = self.settings
            self._audit = AuditLog(Path(own.audit), most=own.audit_bytes, sync=own.audit_sync, log=self.log)
        return self._audit

    async def api_request(self, request: ApiRequest) -> ApiRequest | None:
        """Refuse what the client's rule does not allow; hand on the request as it was understood."""
        operation = named(request)
        if self.settings.audit_required and self.audit is not None and is_changing(operation, request.method):
            await self.audit.require()
        if self.settings.mode == "learn":
            self._learn(request, operation)
            return None
        found = self.settings.rule_for(request.client)
        if found is None:
            raise self._refusal(f"policy: there is no rule for {_who(request.client)}")
        name, rule = found
        try:
            allowed, findings = judge(request, rule, self.agent.cluster.state, self._owners)
        except NotFoundError as error:
            raise RequestError(str(error), status=404) from None
        except RequestError as error:
            raise self._refusal(f"policy: rule {name} refuses {operation}: {error}", error.status) from None
        if findings:
            told = "; ".join(finding.text for finding in findings[:_TOLD])
            raise self._refusal(f"policy: rule {name} refuses {operation}: {told}")
        return allowed

    def _refusal(self, text: str, status: int = 403) -> RequestError:
        self.refused += 1
        return RequestError(text, status=status)

    def _learn(self, request: ApiRequest, operation: str) -> None:
        learned = self.learner.of(request.client)
        if learned is None:
            return
        probe = Rule(clients=("*",), allow=())
        try:
            _, findings = judge(request, probe, self.agent.cluster.state, learning=True)
        except RequestError:  # a body that only `privileged` lets through
            learned.profile = "privileged"
            findings = []
        learned.add(operation, [each for each in findings if each.grant is None or each.grant[0] != "allow"])
        image = (request.body or {}).get("Image") if operation == "container.create" else None
        if isinstance(image, str) and image:
            learned.add_image(whole_name(image))

    async def api_answered(self, answered: ApiAnswered) -> None:
        """Write a line for what may have changed something."""
        operation = named(answered.request)
        if self.audit is not None and is_changing(operation, answered.request.method):
            line = json.dumps(self._line(answered, operation))  # ASCII alone: some break lines at more than \n
            await self.audit.write(line.encode())

    def _line(self, answered: ApiAnswered, operation: str) -> dict[str, Any]:
        """Who, what, where and how it went: no body, no environment, no header."""
        request, target = answered.request, answered.request.target
        found = self.settings.rule_for(request.client)
        refused = _RULE.match(answered.error)
        line: dict[str, Any] = {
            "time": format_time(time.time() - answered.seconds),
            "client": str(request.client),
            "address": request.client.address,
            "pid": request.client.pid,
            "rule": found[0] if found else "",
            "operation": operation,
            "method": request.method,
            "path": request.path[:500],
            "status": answered.status,
            "seconds": round(answered.seconds, 4),
            "node": answered.node,
            "container": answered.created or (target.id if isinstance(target, Container) else ""),
            "name": target.name if target is not None else request.query.get("name", ("",))[0][:200],
            "refused_by": refused[1] if refused else "",
            "error": answered.error[:500],
        }
        return {key: value for key, value in line.items() if value not in ("", None)}

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes that the rule of whoever asked for the container allows."""
        text = query.request.container.labels.get(NODES)
        if not text:
            return None
        try:
            patterns = msgspec.json.decode(text, type=list[str])
        except (
            msgspec.MsgspecError,
            ValueError,
            RecursionError,
        ):  # an image's: where a rule has nodes, the label is its own
            return None
        kept = [node for node in query.state.nodes if any(fnmatchcase(node.name, pattern) for pattern in patterns)]
        wanted = f"a node that the policy allows ({', '.join(patterns)})"
        return Verdict(
            query.nodes & query.state.node_set(kept), lambda node: "the policy does not allow it", lambda: [wanted]
        )

    def add_commands(self) -> Iterable[click.Command]:
        """`skep policy`."""
        from skep_policy.commands import policy

        return (policy,)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """`GET /plugins/policy/learned`."""
        from aiohttp import web

        async def learned(request: web.Request) -> web.Response:
            return web.json_response({"mode": self.settings.mode, "toml": self.learner.toml()})

        router.add_get(f"/plugins/{self.name}/learned", learned)

    def metrics(self) -> Iterable[Metric]:
        """Refusals, and how the log is."""
        yield Metric("skep_policy_refused_total", self.refused, "Requests that were refused.", "counter")
        if self.audit is not None:
            yield Metric(
                "skep_policy_audit_failing", float(bool(self.audit.error)), "Whether the audit log cannot be written."
            )
            yield Metric(
                "skep_policy_audit_lost_total", self.audit.lost, "Lines of the audit log that are lost.", "counter"
            )


def _who(client: Client) -> str:
    return (
        f"{str(client)[:100]!r}"
        if client.name or client.uris or client.uid is not None
        else f"a client without a certificate ({client.address})"
    )
