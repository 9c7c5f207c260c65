"""The judgement of a request by a rule. It does no I/O and changes nothing but the request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase

from skep import ApiRequest, ClusterState, NotFoundError, RequestError, strict_json
from skep_policy.building import check_build, check_commit, check_entries, check_image_made
from skep_policy.case import Case, Finding, Findings
from skep_policy.fields import BODIES, spelled
from skep_policy.hosting import check_host, check_resources, check_user
from skep_policy.images import check_image, check_pull, check_registry, pinned
from skep_policy.mounts import check_mounts, check_volume, check_volumes_from
from skep_policy.networking import check_connect, check_network, check_networks, check_ports
from skep_policy.operations import UNKNOWN, operation_of
from skep_policy.settings import Rule

__all__ = ["NODES", "judge", "named"]

NODES = "skep.policy.nodes"
"""The label that keeps the nodes on which a container may be, as a JSON list of patterns."""

_SCHEME = re.compile(r"^https?://", re.ASCII)  # whatever else stands there is the address to engines
_PLAIN_PS = ("-ef", "-e", "-A", "aux", "-aux", "ax")
_SHARED = ("system.df", "image.prune", "image.build-prune", "image.buildkit", UNKNOWN)
"""What concerns everybody's things: not for clients with a label of their own."""


def named(request: ApiRequest) -> str:
    """The operation that a request is."""
    found = operation_of(request.method, request.path)
    return "image.load" if found == "image.pull" and "fromSrc" in request.query else found


def judge(
    request: ApiRequest,
    rule: Rule,
    state: ClusterState | None,
    owners: frozenset[str] = frozenset(),
    *,
    learning: bool = False,
) -> tuple[ApiRequest, list[Finding]]:
    """The request as an engine may get it, and what the rule has against it.

    Raises NotFoundError for what the clients do not see, RequestError for a body that is not understood.
    """
    operation = named(request)
    case = Case(request, operation, rule, state, owners, learning, query=dict(request.query))
    findings = []
    if operation not in rule.operations:
        findings.append(Finding(f"{operation} is not allowed", None, ("allow", operation)))
    if rule.is_unlimited and operation != "container.top":
        return _shown(request, rule), findings
    _see(case)
    if findings and not learning:
        return request, findings
    if request.body is not None:
        case.body = _understood(case)
    findings += _limits(case)
    check = _CHECKS.get(operation)
    found = list(check(case)) if check is not None else []
    findings += [each for each in found if not case.takes(each)]
    _filter_prune(case)
    changed = replace(request, query=case.query, body=case.body if request.body is not None or case.body else None)
    return _shown(changed, rule), findings


def _shown(request: ApiRequest, rule: Rule) -> ApiRequest:
    return replace(request, visible=rule.owns if rule.owner else None, hides_env=_hides_env(rule))


def _hides_env(rule: Rule) -> bool:
    """Whether the values of environment variables are kept from the clients, who could not read them in the containers either."""
    return not rule.operations & {"exec.create", "container.attach", "container.read", "container.export"}


def _see(case: Case) -> None:
    target = case.request.target
    if target is not None and not case.rule.owns(target.labels):
        kind = type(target).__name__.lower()
        raise NotFoundError(f"No such {kind}: {target.name}")


def _understood(case: Case) -> dict[str, object]:
    schema = BODIES.get(case.operation)
    if schema is None:
        if case.request.body:
            raise RequestError(f"{case.operation} takes no body that a policy could judge", status=403)
        return {}
    found: dict[str, object] = spelled(dict(case.request.body or {}), schema)
    return found


def _limits(case: Case) -> Findings:
    """What holds for every operation."""
    rule, request = case.rule, case.request
    if rule.owner and case.operation in _SHARED:
        yield Finding(f"{case.operation} concerns what is not yours too", None)
    elif case.operation in (UNKNOWN, "image.buildkit") and not rule.is_unlimited:
        yield Finding(f"{case.operation}: {request.method} {request.path[:100]} cannot be judged", None)
    if rule.nodes and request.node and not any(fnmatchcase(request.node, pattern) for pattern in rule.nodes):
        yield Finding(f"node {request.node} is none of {', '.join(rule.nodes)}", None, ("nodes", request.node))
    if rule.nodes and not rule.owner and case.operation.endswith(".prune"):
        yield Finding(f"{case.operation} is of all nodes, not of {', '.join(rule.nodes)} alone", None)
    if "link" in request.query and case.operation == "container.remove":
        yield Finding("removing links is not allowed", None)


def _filter_prune(case: Case) -> None:
    """Let a prune take only what is the clients' own."""
    if case.rule.owner and case.operation.endswith(".prune"):
        text = case.query.get("filters", ("",))[0]
        given = strict_json(text.encode(), "filters") if text else {}
        if any(name.startswith("label!") for name in given):
            raise RequestError("prune: the filter label! is not allowed", status=403)
        wanted = {name: _values(name, values) for name, values in given.items()}
        wanted["label"] = [*wanted.get("label", ()), case.rule.owner]
        # in one form, as engines do not take both together
        case.query["filters"] = (json.dumps({name: dict.fromkeys(values, True) for name, values in wanted.items()}),)


def _values(name: str, given: object) -> list[str]:
    """A filter's values, in either of their forms."""
    values = [key for key, on in given.items() if on] if isinstance(given, dict) else given if given is not None else []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise RequestError(f"filters: expected a list of texts as {name[:40]}")
    return values


def _create(case: Case) -> Findings:
    body, rule = case.body, case.rule
    image = body.get("Image") or ""
    yield from check_image(case, image, "Image")
    if rule.images and image:
        body["Image"] = pinned(image)
    elif image:
        yield from check_registry(image, "Image")  # an image that is not there is pulled
    yield from check_host(case)
    yield from check_mounts(case)
    yield from check_volumes_from(case)
    yield from check_networks(case)
    yield from check_ports(case)
    yield from case.labels(body.get("Labels"), "Labels")
    yield from check_entries(case, body.get("Env") or (), "Env")
    body["Labels"] = {**dict.fromkeys(sorted(case.owners), ""), **case.owned(body.get("Labels"))}  # before an image's
    if rule.nodes:
        body["Labels"] = {**(body.get("Labels") or {}), NODES: json.dumps(rule.nodes)}


def _update(case: Case) -> Findings:
    yield from check_resources(case.body)


def _exec(case: Case) -> Findings:
    if case.body.get("Privileged"):
        yield Finding("Privileged is not allowed")
    if case.is_under("restricted") and case.body.get("User"):
        yield from check_user(case.body["User"], "User")


def _load(case: Case) -> Findings:
    yield from check_image_made(case)
    if "fromSrc" in case.query:
        yield from check_pull(case)


def _auth(case: Case) -> Findings:
    """A login asks the registry that it names."""
    given = case.body.get("serveraddress") or ""
    address = _SCHEME.sub("", given).partition("/")[0]
    if given:
        yield from check_registry(
            f"{address}/x" if "." in address or ":" in address else f"{address}:443/x", "serveraddress"
        )


def _top(case: Case) -> Findings:
    """ps shows environments, too, where it is asked to."""
    for options in case.query.get("ps_args", ()):
        if _hides_env(case.rule) and options not in _PLAIN_PS:
            told = f"ps_args: {options[:40]} could show environments; expected one of {', '.join(_PLAIN_PS)}"
            yield Finding(told, None, ("allow", "exec.create"))


def _search(case: Case) -> Findings:
    """A term may begin with a registry, which is asked then."""
    for term in case.query.get("term", ()):
        yield from check_registry(term, "term")


def _asked(case: Case) -> Findings:
    """An image whose registry is asked, or written to."""
    name = case.request.path.partition("/")[2].partition("/")[2].rpartition("/")[0]
    yield from check_image(case, name, "image")
    if not case.rule.images:
        yield from check_registry(name, "image")


def _place(case: Case) -> Findings:
    """What is made on a node that the name says, or that is chosen."""
    node, slash, _ = (case.body.get("Name") or "").rpartition("/")
    if case.rule.nodes and not (slash and any(fnmatchcase(node, pattern) for pattern in case.rule.nodes)):
        yield Finding(f"Name: say where, as NODE/name, on one of {', '.join(case.rule.nodes)}", None)


def _network(case: Case) -> Findings:
    yield from _place(case)
    yield from check_network(case)


def _volume(case: Case) -> Findings:
    yield from _place(case)
    yield from check_volume(case)


_CHECKS: dict[str, Callable[[Case], Findings]] = {
    "container.create": _create,
    "container.update": _update,
    "container.top": _top,
    "exec.create": _exec,
    "image.build": check_build,
    "image.commit": check_commit,
    "image.distribution": _asked,
    "image.load": _load,
    "image.pull": check_pull,
    "image.push": _asked,
    "image.search": _search,
    "image.tag": check_image_made,
    "network.connect": check_connect,
    "network.create": _network,
    "network.disconnect": check_connect,
    "system.auth": _auth,
    "volume.create": _volume,
}
