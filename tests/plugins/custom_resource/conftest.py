"""A server that speaks AWS's APIs, a strict receiver of answers, and agents that serve a queue."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from skep import Agent
from tests.plugins.custom_resource.cfn_receiver import Receiver
from tests.plugins.custom_resource.custom_resource_wires import Served, Wires
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """AWS on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def _client_of_sqs(blockbuster: BlockBuster) -> None:
    """It is made in a thread, which has a loop of its own to block."""
    for function in blockbuster.functions.values():
        function.can_block_in("skep_custom_resource/sqs.py", {"_made"})


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own."""
    for key, value in {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():  # fmt: skip
        monkeypatch.setenv(key, value)


@pytest.fixture
def aws(moto_url: str, _credentials: None) -> Callable[[str], Any]:
    """Clients of it, by service."""
    import boto3

    return lambda service: boto3.client(service, endpoint_url=moto_url)


@pytest.fixture
def wires(aws: Callable[[str], Any]) -> Wires:
    """New ones for each test."""
    sqs, sns, name = aws("sqs"), aws("sns"), f"skep-{uuid.uuid4().hex[:8]}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "3"})
    queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return Wires(topic, queue, dead, aws)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made


@pytest.fixture
def cloudformation(receiver: Receiver, wires: Wires) -> FakeCloudFormation:
    """Publishes to the topic."""
    return FakeCloudFormation(receiver, wires.publish)


@pytest.fixture
def served(skep_agent: Any, wires: Wires, moto_url: str, tmp_path: Path) -> Served:
    """Starts an agent that serves the queue with further plugins: `await served(Greeting, visibility="2s")`."""

    async def start(*plugins: Any, journal: str = "journal", others: Any = None, **own: Any) -> Agent:
        table = {
            "queue": wires.queue, "endpoint_url": moto_url, "plain_loopback": True, "visibility": "2s",
            "journal": str(tmp_path / journal), **own,
        }  # fmt: skip
        agent: Agent = await skep_agent(
            plugins=plugins, settings={"plugins": {**(others or {}), "custom_resource": table}}
        )
        return agent

    return start
