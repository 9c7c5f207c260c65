"""What an agent with the plugins for AWS costs when it has worked: its resident memory, beside that of the same agent without them.

    python -m contrib.bench.aws_memory [--seconds 10]

AWS is a moto server in a process of its own. The agent keeps an env file of a stack, a secret and parameters, asked anew every two seconds, and
waits for custom resources at a queue.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from contrib.bench.custom_resource import moto
from contrib.bench.goals import Measured
from contrib.bench.memory import agent, embedded_engine, resident, settle

GOAL = 110.0  # MB
_PLAIN = """\
[cluster]
engines = ["{engine}"]
[plugins.health]
[plugins.spread]
"""
_AWS = """\
[plugins.aws]
endpoint_url = "{aws}"
[plugins.custom_resource]
queue = "{queue}"
endpoint_url = "{aws}"
region = "eu-west-1"
[plugins.envfile]
state = "{folder}/state.json"
[plugins.envfile.files.prod]
path = "{folder}/prod.env"
interval = "2s"
sources = [
    {{ lookup = "stack", properties = {{ StackName = "prod" }} }},
    {{ lookup = "secret", properties = {{ SecretId = "prod/db" }} }},
    {{ lookup = "ssm", properties = {{ Path = "/prod" }} }},
]
"""


def measure(seconds: float = 10) -> Iterator[Measured]:
    """Measure both agents on one engine."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip
    with moto() as aws, embedded_engine(100) as engine, tempfile.TemporaryDirectory() as folder:
        queue = _fill(aws)
        file = Path(folder, "prod.env")
        for name, text, goal in (("without", _PLAIN, None), ("with", _PLAIN + _AWS, GOAL)):
            settings = Path(folder, f"{name}.toml")
            settings.write_text(text.format(engine=engine, aws=aws, queue=queue, folder=folder))
            skep = str(Path(sys.executable).with_name("skep"))
            with agent([skep, "run", "--config", str(settings)]) as pid:
                deadline = time.monotonic() + 60
                while goal and not file.exists():
                    assert time.monotonic() < deadline, "the env file was not written"
                    time.sleep(0.1)
                settle(pid)
                time.sleep(seconds)
                yield Measured(
                    f"skep run {name} aws, envfile and custom_resource, at work: resident", resident(pid), "MB", goal
                )


def _fill(aws: str) -> str:
    """Put into AWS what is looked up; return the URL of the queue."""
    import boto3

    outputs = {f"Output{number}": {"Value": "v" * 100} for number in range(50)}
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    boto3.client("cloudformation", endpoint_url=aws).create_stack(StackName="prod", TemplateBody=json.dumps(template))
    boto3.client("secretsmanager", endpoint_url=aws).create_secret(Name="prod/db", SecretString='{"password": "x"}')
    boto3.client("ssm", endpoint_url=aws).put_parameter(Name="/prod/url", Value="x", Type="String")
    return str(boto3.client("sqs", endpoint_url=aws).create_queue(QueueName="requests")["QueueUrl"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    for measured in measure(parser.parse_args().seconds):
        print(measured, flush=True)
