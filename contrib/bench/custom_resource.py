"""How long a request takes from its publication to the answer, through SNS, SQS and the agent.

    python -m contrib.bench.custom_resource [--requests 50]

AWS is a moto server in a process of its own. Told are the median and the 90th percentile, and the CPU time that this process (the agent, the
publisher and the receiver of answers) took for each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from aiohttp import web

from contrib.bench.goals import Measured
from skep import Agent, Lookup, Plugin, Values, parse_settings

GOAL = 100.0  # milliseconds, the median


class Quick(Plugin):
    """A lookup that takes no time."""

    name = "quick"

    def lookups(self) -> Mapping[str, Lookup]:
        return {"quick": Lookup(resolve=self.resolve)}

    async def resolve(self, properties: Mapping[str, Any]) -> Values:
        return Values({"A": "1"})


@contextmanager
def moto() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Path(sys.executable).with_name("moto_server")
    process = subprocess.Popen([server, "-H", "127.0.0.1", "-p", str(port)], stdout=-3, stderr=-3)
    try:
        for _ in range(200):
            try:
                urlopen(f"http://127.0.0.1:{port}/moto-api/data.json").close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def wired(url: str) -> tuple[Any, str, str]:
    """A client of SNS, the topic and the queue's URL."""
    import boto3

    sns, sqs = boto3.client("sns", endpoint_url=url), boto3.client("sqs", endpoint_url=url)
    queue = sqs.create_queue(QueueName="skep")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="skep")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return sns, topic, queue


async def _answered(url: str, count: int) -> tuple[list[float], float]:
    """The seconds of each request, and the CPU seconds of all."""
    came: dict[str, asyncio.Event] = {}

    async def take(request: web.Request) -> web.Response:
        came[json.loads(await request.read())["RequestId"]].set()
        return web.Response()

    app = web.Application()
    app.router.add_put("/{rest:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    sns, topic, queue = await asyncio.to_thread(wired, url)
    with tempfile.TemporaryDirectory() as folder:
        table = {"queue": queue, "endpoint_url": url, "plain_loopback": True, "journal": f"{folder}/journal"}
        async with Agent(parse_settings({"plugins": {"custom_resource": table}}), plugins=[Quick]):
            taken: list[float] = []
            for number in range(count + 3):  # the first ones warm up
                if number == 3:
                    cpu = time.process_time()
                event = request_for(base)
                came[event["RequestId"]] = asyncio.Event()
                began = time.perf_counter()
                await asyncio.to_thread(sns.publish, TopicArn=topic, Message=json.dumps(event))
                await came[event["RequestId"]].wait()
                taken.append(time.perf_counter() - began)
            cpu = time.process_time() - cpu
    await runner.cleanup()
    return taken[3:], cpu


def request_for(base: str) -> dict[str, Any]:
    request, stack = str(uuid.uuid4()), f"arn:aws:cloudformation:eu-west-1:123456789012:stack/bench/{uuid.uuid4()}"
    return {
        "RequestType": "Create", "RequestId": request, "StackId": stack, "LogicalResourceId": "L", "ResourceType": "Custom::Quick",
        "ResponseURL": f"{base}/{quote(stack, safe='')}?Signature=a%2Fb", "ResourceProperties": {"ServiceToken": "x"},
    }  # fmt: skip


def measure(requests: int = 50) -> Iterator[Measured]:
    """Serve so many requests, one after another."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip
    with moto() as url:
        taken, cpu = asyncio.run(_answered(url, requests))
    what = "custom resource, publish to PUT"
    yield Measured(f"{what}, p50", 1000 * statistics.median(taken), "ms", GOAL)
    yield Measured(f"{what}, p90", 1000 * statistics.quantiles(taken, n=10)[-1], "ms")
    yield Measured(f"{what}, CPU", 1000 * cpu / requests, "ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50)
    for measured in measure(parser.parse_args().requests):
        print(measured)
