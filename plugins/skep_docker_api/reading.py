"""A request as plugins judge it: read so that nothing in it means something else to a handler or an engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from skep import (
    ApiRequest,
    Client,
    ConflictError,
    Container,
    Network,
    NotFoundError,
    RequestError,
    Volume,
    read_body,
    strict_json,
)
from skep_docker_api.api.execs import find_exec
from skep_docker_api.lookups import find_container
from skep_docker_api.routing import agent_of

__all__ = ["judged_url", "read_request", "without_body"]

Query = dict[str, tuple[str, ...]]

_LARGEST_BODY = 2**22
_MOST_PAIRS = 1000
_PATH = re.compile(r"(?:/[A-Za-z0-9_.:@+-]+)+", re.ASCII)
_IN_NAMES = re.compile(r"%(3A|40|2B)", re.ASCII | re.IGNORECASE)  # some clients encode them
_QUERY = re.compile(r"(?:[^%;\x00-\x20\x7f]|%[0-9A-Fa-f]{2})*", re.ASCII)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_OF_BODY = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Trailer", "Expect")


class _Exec(msgspec.Struct):
    container: str = msgspec.field(name="ContainerID")


async def read_request(request: web.Request, client: Client) -> ApiRequest:
    """The request as plugins see it.

    Raises RequestError for what could be read in two ways, NotFoundError and ConflictError for what the path names.
    """
    if len(request.headers.getall("Host", ())) > 1:
        raise RequestError("expected one header Host")
    version = request.match_info.get("version", "")
    path, query = _path(request, version), _query(request)
    is_upload = _is_upload(request.method, path, query)
    if is_upload and request.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _FORMS:
        raise RequestError("a form is no upload here: engines would read parameters from it", status=415)
    body = None if is_upload else await _body(request)
    node, target = await _target(request, path, query)
    if target is not None:
        path, query = _by_id(request, path, query, node, target)
    return ApiRequest(
        client=client,
        method=request.method,
        path=path,
        version=version,
        query=query,
        body=body,
        is_upload=is_upload,
        target=target,
        node=node,
    )


def judged_url(allowed: ApiRequest) -> URL:
    """Path and query as they were judged."""
    version = f"/v{allowed.version}" if allowed.version else ""
    query = urlencode([(key, value) for key, values in allowed.query.items() for value in values])
    return URL(f"{version}{allowed.path}{'?' if query else ''}{query}", encoded=True)


def without_body(headers: Mapping[str, str], size: int) -> CIMultiDict[str]:
    """The headers with those of the body that was read replaced by those of one of `size` bytes."""
    kept = CIMultiDict(headers)
    for name in _OF_BODY:
        kept.popall(name, None)
    kept["Content-Length"] = str(size)
    if size:
        kept["Content-Type"] = "application/json"
    return kept


def _path(request: web.Request, version: str) -> str:
    raw = request.rel_url.raw_path
    path = _IN_NAMES.sub(lambda match: chr(int(match[1], 16)), raw)
    if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(path.split("/")):
        raise RequestError(
            f"the path {raw[:200]!r} is refused: expected segments of letters, digits and _.:@+- between single slashes"
        )
    return path.removeprefix(f"/v{version}") if version else path


def _query(request: web.Request) -> Query:
    raw = request.rel_url.raw_query_string
    if not _QUERY.fullmatch(raw):
        raise RequestError("the query is refused: it has a semicolon, a control character or a wrong percent-encoding")
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PAIRS)
    except ValueError as error:
        raise RequestError(f"the query is refused: {error}") from None
    found: Query = {}
    for key, value in pairs:
        found[key] = (*found.get(key, ()), value)
    return found


def _is_upload(method: str, path: str, query: Query) -> bool:
    """Whether a body is no JSON, and passed through as a stream."""
    if method == "PUT":
        return path.startswith("/containers/") and path.endswith("/archive")
    if path == "/images/create":
        return method == "POST" and "-" in query.get("fromSrc", ())
    return method == "POST" and path in ("/build", "/images/load")


async def _body(request: web.Request) -> dict[str, Any] | None:
    data = await read_body(request, _LARGEST_BODY)
    if not data or data == b"null":
        return None
    if request.method in ("GET", "HEAD", "DELETE"):
        raise RequestError(f"{request.method} takes no body here")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RequestError("an encoded body cannot be judged: send it without Content-Encoding", status=415)
    return strict_json(data, "JSON in the request's body")


# -- what it is about


async def _target(request: web.Request, path: str, query: Query) -> tuple[str, Container | Network | Volume | None]:
    """What path or query name, and its node; ("", None) where they name nothing that may belong to somebody."""
    state, match = agent_of(request).cluster.state, request.match_info
    kind, reference = path.split("/")[1], ""
    try:
        if kind == "exec" and "id" in match:
            container = find_container(state, await _container_of_exec(request))
            return container.node, container
        if path == "/commit":
            reference = _only(query, "container")
            container = find_container(state, reference)
            return container.node, container
        if kind == "containers" and "ref" in match:
            reference = match["ref"]
            container = find_container(state, reference)
            return container.node, container
        if kind == "networks" and "name" in match:
            reference = match["name"]
            node, network = state.find_network(reference)
            return node.name, network
        if kind == "volumes" and "name" in match:
            reference = match["name"]
            found, volume = state.find_volume(reference)
            return found.name, volume
    except ConflictError:  # it lists whose they are
        raise ConflictError(
            f"several {kind} are called {reference}, or begin so: say which by node/name or a full id"
        ) from None
    return "", None


def _only(query: Query, name: str) -> str:
    values = query.get(name, ())
    if len(values) != 1:
        raise RequestError(f"expected {name} once in the query")
    return values[0]


async def _container_of_exec(request: web.Request) -> str:
    engine, path = await find_exec(request)
    answer = await engine.call("GET", f"{path}/json", timeout=engine.read_timeout)
    try:
        return msgspec.json.decode(answer, type=_Exec).container
    except (msgspec.MsgspecError, ValueError):
        raise NotFoundError(f"No such exec instance: {request.match_info['id']}") from None


def _by_id(
    request: web.Request, path: str, query: Query, node: str, target: Container | Network | Volume
) -> tuple[str, Query]:
    """Path and query with the id of what they name; handlers get it too, so that they cannot find something else."""
    match = request.match_info
    name = (
        target.id
        if not isinstance(target, Volume)
        else target.name
        if target.driver != "local"
        else f"{node}/{target.name}"
    )
    if path == "/commit":
        return path, {**query, "container": (name,)}
    for key in ("ref", "name"):
        if key in match:
            kind, _, rest = path.removeprefix("/").partition("/")
            match[key], given = name, match[key]
            return f"/{kind}/{name}{rest.removeprefix(given)}", query
    return path, query
