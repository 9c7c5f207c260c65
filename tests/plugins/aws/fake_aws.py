"""An AWS endpoint that answers as it is told, in the wire protocols of the services: for what moto's server does not do.

The shapes are those of the API's own answers. Whatever is asked is written down.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from aiohttp import web

from skep import HttpServer

_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
_ROUTE53 = (
    (re.compile(r"/2013-04-01/hostedzonesbyname"), "ListHostedZonesByName"),
    (re.compile(r"/2013-04-01/hostedzone/.+"), "GetHostedZone"),
)


@dataclass
class Call:
    """One call that was made."""

    service: str
    operation: str
    region: str
    key: str
    parameters: dict[str, Any]


Answer = Callable[[web.Request, Call], Awaitable[web.StreamResponse]]


def to_xml(name: str, value: Any) -> str:
    """Data as XML. A list is a pair: the name of its elements, and they."""
    if isinstance(value, dict):
        inner = "".join(to_xml(key, each) for key, each in value.items())
    elif isinstance(value, tuple):
        inner = "".join(to_xml(value[0], each) for each in value[1])
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def query(data: dict[str, Any]) -> Answer:
    """An answer of a service that speaks the query protocol: ElastiCache, CloudFormation, IAM, STS."""

    async def answer(request: web.Request, call: Call) -> web.StreamResponse:
        body = to_xml(f"{call.operation}Response", {f"{call.operation}Result": data})
        return web.Response(text=body, content_type="text/xml")

    return answer


def plain_xml(data: dict[str, Any]) -> Answer:
    """An answer of EC2, or of Route 53."""

    async def answer(request: web.Request, call: Call) -> web.StreamResponse:
        return web.Response(text=to_xml(f"{call.operation}Response", data), content_type="text/xml")

    return answer


def as_json(data: dict[str, Any]) -> Answer:
    """An answer of a service that speaks JSON: ACM, SSM, Secrets Manager."""

    async def answer(request: web.Request, call: Call) -> web.StreamResponse:
        return web.Response(text=json.dumps(data), content_type="application/x-amz-json-1.1")

    return answer


def refused(code: str, status: int = 400, message: str = "no") -> Answer:
    """A refusal, in the protocol of the service."""

    async def answer(request: web.Request, call: Call) -> web.StreamResponse:
        if request.headers.get("X-Amz-Target"):
            body = json.dumps({"__type": code, "message": message})
            return web.Response(text=body, status=status, content_type="application/x-amz-json-1.1")
        error = to_xml("Error", {"Code": code, "Message": message})
        name, inner = ("Response", f"<Errors>{error}</Errors>") if call.service == "ec2" else ("ErrorResponse", error)
        return web.Response(text=f"<{name}>{inner}</{name}>", status=status, content_type="text/xml")

    return answer


async def never(request: web.Request, call: Call) -> web.StreamResponse:
    """No answer, for as long as the client waits."""
    await asyncio.Event().wait()
    raise AssertionError


async def half(request: web.Request, call: Call) -> web.StreamResponse:
    """Half an answer, and the end of the connection."""
    response = web.StreamResponse(headers={"Content-Type": "text/xml", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"<DescribeStacksResponse><DescribeStacksResult>")
    assert request.transport is not None
    request.transport.close()
    return response


@dataclass
class FakeAws:
    """Answers of an operation come one after another; the last one stays."""

    calls: list[Call] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    url: str = ""

    def on(self, operation: str, *answers: Answer) -> None:
        """Say how an operation is answered from now on."""
        self.answers[operation] = list(answers)

    def made(self, operation: str) -> list[Call]:
        """All calls of an operation."""
        return [each for each in self.calls if each.operation == operation]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        body = await request.text()
        scope = _SCOPE.search(request.headers.get("Authorization", ""))
        assert scope is not None, "a call is not signed"
        target = request.headers.get("X-Amz-Target", "")
        if target:
            operation, parameters = target.rpartition(".")[2], json.loads(body)
        elif scope["service"] == "route53":
            operation = next(name for pattern, name in _ROUTE53 if pattern.fullmatch(request.path))
            parameters = {"path": request.path, **request.query}
        else:
            parameters = dict(parse_qsl(body))
            operation = parameters.pop("Action")
        call = Call(scope["service"], operation, scope["region"], scope["key"], parameters)
        self.calls.append(call)
        answers = self.answers[operation]
        assert answers, f"no answer is told for {operation}"
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request, call)

    async def serve(self) -> HttpServer:
        """Begin to listen on loopback."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        server = HttpServer(app, ["tcp://127.0.0.1:0"], shutdown_timeout=0.1)
        await server.start()
        self.url = server.urls[0].replace("tcp://", "http://")
        return server
