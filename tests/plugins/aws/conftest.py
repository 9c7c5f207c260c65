"""AWS without AWS: moto's server, once per process, and an endpoint that answers as it is told. Nothing leaves loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from skep import Agent, parse_settings
from tests.plugins.aws.fake_aws import FakeAws

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, no files of the user's, no metadata service; and any proxy would be an error."""
    for name in [each for each in os.environ if each.startswith("AWS_") or each.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environ |= {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_ACM_VALIDATION_WAIT": "0"}
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"{url}/moto-api/data.json", process)
            yield url
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert process.poll() is None, "moto's server ended"
            assert time.monotonic() < deadline, "moto's server does not answer"
            time.sleep(0.05)


@pytest.fixture
def moto(_moto: str) -> str:
    """URL of moto's server, with nothing in it."""
    request = urllib.request.Request(f"{_moto}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer) == {"status": "ok"}
    return _moto


@pytest.fixture
def client(moto: str) -> Callable[..., Any]:
    """A client of boto3 for moto's server: client("ec2")."""

    def make(service: str, region: str = REGION) -> Any:
        return boto3.session.Session().client(service, region_name=region, endpoint_url=moto)

    return make


@pytest.fixture
async def fake() -> AsyncIterator[FakeAws]:
    """An endpoint that answers as it is told."""
    aws = FakeAws()
    server = await aws.serve()
    yield aws
    await server.stop()


def agent_at(url: str, **settings: Any) -> Agent:
    """An agent with the plugin alone, whose AWS is at `url`; answers are not kept unless asked for."""
    own = {"endpoint_url": url, "region": REGION, "max_age": 0.001, "rates": {"default": 1000, "route53": 1000}}
    return Agent(parse_settings({"plugins": {"aws": own | settings}}))


@pytest.fixture
async def agent(moto: str) -> AsyncIterator[Agent]:
    """An agent whose AWS is moto's server."""
    async with agent_at(moto) as started:
        yield started


@pytest.fixture
async def faked(fake: FakeAws) -> AsyncIterator[Agent]:
    """An agent whose AWS is `fake`."""
    async with agent_at(fake.url, attempts=1) as started:
        yield started
