"""The machine's own role as credentials: its metadata service is slow, absent, or comes up after the agent."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from skep import DeniedError, HttpServer, TemporaryError
from tests.plugins.aws.conftest import agent_at
from tests.plugins.aws.fake_aws import FakeAws
from tests.plugins.aws.test_aws_faults import PROD, stack


@dataclass
class Metadata:
    """The metadata service (IMDSv2). `state`: "up", "hangs", or a status that it answers everything with."""

    state: str | int = "up"
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if self.state == "hangs":
            await asyncio.Event().wait()
        if isinstance(self.state, int):
            return web.Response(status=self.state)
        if request.method == "PUT":
            return web.Response(text="token")
        if request.path.endswith("security-credentials/"):
            return web.Response(text="skep")
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=6)
        keys = {"Code": "Success", "AccessKeyId": "ROLE", "SecretAccessKey": "s", "Token": "t"}
        return web.json_response(keys | {"Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ")})


@pytest.fixture
async def metadata(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Metadata]:
    """It is all that there is of credentials."""
    made = Metadata()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    server = HttpServer(app, ["tcp://127.0.0.1:0"], shutdown_timeout=0.1)
    await server.start()
    made.url = server.urls[0].replace("tcp://", "http://")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", made.url)
    yield made
    await server.stop()


@pytest.fixture
def answering(fake: FakeAws) -> FakeAws:
    """It answers whoever asks."""
    fake.on("DescribeStacks", stack(A="1"))
    return fake


async def test_the_machines_role_is_asked_once(metadata: Metadata, answering: FakeAws) -> None:
    async with agent_at(answering.url) as agent:
        for _ in range(3):
            assert await agent.lookup("stack", PROD, max_age=0) == {"A": "1"}
    assert [each.key for each in answering.calls] == ["ROLE"] * 3
    assert metadata.asked.count("PUT /latest/api/token") == 1


@pytest.mark.parametrize("state", ["hangs", 503, 404])
async def test_a_service_that_gives_nothing_is_told_and_heeded_when_it_does(
    metadata: Metadata, answering: FakeAws, state: str | int
) -> None:
    """As at boot, when the agent is up before the network is: the next question has the keys. No loop is stalled meanwhile, nor the start."""
    metadata.state = state
    began, longest = time.monotonic(), 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - before)

    async with agent_at(answering.url, warm=["cloudformation"], attempts=1) as agent:
        assert time.monotonic() - began < 5
        watching = asyncio.create_task(watch())
        with pytest.raises((DeniedError, TemporaryError), match=r"redentials"):
            await agent.lookup("stack", PROD)
        watching.cancel()
        assert longest < 0.05
        assert answering.calls == []
        metadata.state = "up"
        assert await agent.lookup("stack", PROD) == {"A": "1"}


async def test_no_service_at_all_is_told(
    metadata: Metadata, answering: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    async with agent_at(answering.url, attempts=1) as agent:
        with pytest.raises(DeniedError, match="Unable to locate credentials"):
            await agent.lookup("stack", PROD)
