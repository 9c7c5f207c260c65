"""Networks and ports that a request may use or make."""

from __future__ import annotations

from skep import ClusterState, Network
from skep_policy.case import Case, Finding, Findings

__all__ = ["check_connect", "check_mode", "check_network", "check_networks", "check_ports"]

_PLAIN = ("", "default", "bridge", "none")
_OPTIONS = frozenset(
    (
        "com.docker.network.bridge.enable_icc",
        "com.docker.network.bridge.enable_ip_masquerade",
        "com.docker.network.driver.mtu",
    )
)


def check_networks(case: Case) -> Findings:
    """The networks of a new container, and the containers that it is linked to."""
    host = case.host
    yield from check_mode(case, host.get("NetworkMode") or "", "HostConfig.NetworkMode")
    endpoints = (case.body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    for name, endpoint in endpoints.items():
        yield from check_mode(case, name, "NetworkingConfig")
        yield from _check_endpoint(case, endpoint or {}, "NetworkingConfig")
    for link in host.get("Links") or ():
        yield from _check_link(case, link, "HostConfig.Links")


def check_mode(case: Case, mode: str, where: str) -> Findings:
    """A network by name, or another container's."""
    if mode in _PLAIN:
        return
    if mode.startswith("container:"):
        found = case.mine(mode[10:])
        if found is None or found.network_mode == "host" or found.network_mode.startswith("container:"):
            yield Finding(
                f"{where}: {mode[:100]} names no container of yours with a network of its own",
                None if found is None and case.rule.owner else "privileged",
            )
    elif mode == "host" or mode.endswith("/host"):
        yield Finding(f"{where}: the host's network is not allowed")
    elif case.state is not None:
        if any(network.driver == "host" for network in _networks(case.state, mode)):
            yield Finding(f"{where}: the host's network is not allowed, nor by its id")
        if case.rule.owner:
            yield from _check_own(case, mode, where)


def _check_own(case: Case, name: str, where: str) -> Findings:
    assert case.state is not None
    found = _networks(case.state, name)
    if not found or not all(case.rule.owns(network.labels) or network.name in _PLAIN for network in found):
        yield Finding(f"{where}: there is no network {name[:100]} of yours", None)


def _networks(state: ClusterState, name: str) -> list[Network]:
    """What an engine may take for the network of that name: by name, or by the beginning of an id."""
    node, slash, rest = name.partition("/")
    bare = rest if slash and state.get_node(node) is not None else name
    return [each for node in state.nodes for each in node.networks if bare == each.name or each.id.startswith(bare)]


def _check_endpoint(case: Case, endpoint: dict[str, object], where: str) -> Findings:
    endpoint.pop("NetworkID", None)  # engines take it before the network's name, which is what was judged
    if endpoint.get("DriverOpts"):
        yield Finding(f"{where}: DriverOpts are not allowed")
    for link in endpoint.get("Links") or ():  # type: ignore[attr-defined]
        yield from _check_link(case, link, where)


def _check_link(case: Case, link: str, where: str) -> Findings:
    reference = link.partition(":")[0]
    if case.rule.owner and case.state is not None and case.container(reference) is None:
        yield Finding(f"{where}: there is no container {reference[:100]} of yours", None)


def check_ports(case: Case) -> Findings:
    """The host's ports that are named; those that an engine chooses are free."""
    for key, bindings in (case.host.get("PortBindings") or {}).items():
        for binding in bindings or ():
            text = (binding or {}).get("HostPort") or "0"
            first, dash, last = text.partition("-")
            ends = (first, last if dash else first)
            if ends == ("0", "0"):
                continue
            if not all(end.isascii() and end.isdigit() and len(end) <= 5 for end in ends):
                yield Finding(f"HostConfig.PortBindings: {text[:20]!r} is no port")
            elif not all(case.rule.publishes(port) for port in range(int(ends[0]), int(ends[1]) + 1)) or int(
                ends[0]
            ) > int(ends[1]):
                yield Finding(
                    f"HostConfig.PortBindings: the host's port {text} for {key[:20]} is not allowed",
                    grant=("ports", text),
                )


def check_network(case: Case) -> Findings:
    """`POST /networks/create`."""
    body = case.body
    if (body.get("Driver") or "bridge") not in ("bridge", "overlay"):
        yield Finding(f"Driver: {body['Driver'][:60]} is not allowed")
    for key in body.get("Options") or {}:
        if key not in _OPTIONS:
            yield Finding(f"Options: {key[:80]} is not allowed")
    ipam = body.get("IPAM") or {}
    if (ipam.get("Driver") or "default") != "default" or ipam.get("Options"):
        yield Finding("IPAM: drivers and options are not allowed")
    if any(value for config in ipam.get("Config") or () for value in (config or {}).values()):
        yield Finding("IPAM: subnets are chosen by engines: one could be laid over addresses that hosts speak to")
    for field in ("ConfigOnly", "ConfigFrom", "Ingress"):
        if body.get(field):
            yield Finding(f"{field} is not allowed")
    yield from case.labels(body.get("Labels"), "Labels")
    if case.rule.owner:
        body["Labels"] = case.owned(body.get("Labels"))


def check_connect(case: Case) -> Findings:
    """`POST /networks/ID/connect` and `disconnect`: the container, by its id from here on."""
    reference = case.body.get("Container") or ""
    if case.state is not None:
        found = case.container(reference)
        if found is None:
            yield Finding(f"Container: there is no container {reference[:100]} of yours", None)
        else:
            case.body["Container"] = found.id
    target = case.request.target
    if target is not None and getattr(target, "name", "") == "host":
        yield Finding("the host's network is not allowed")
    yield from _check_endpoint(case, case.body.get("EndpointConfig") or {}, "EndpointConfig")
