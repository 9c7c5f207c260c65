"""A topic with a queue behind it, as a provider that is no Lambda function has them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from skep import Agent

__all__ = ["Served", "Wires", "counts"]

Served = Callable[..., Awaitable[Agent]]


@dataclass
class Wires:
    """A topic with a queue behind it, and a queue for what nobody answers."""

    topic: str
    queue: str
    dead: str
    aws: Callable[[str], Any]

    async def publish(self, event: Any) -> None:
        """As CloudFormation does."""
        text = event if isinstance(event, str) else json.dumps(event)
        await asyncio.to_thread(
            self.aws("sns").publish, TopicArn=self.topic, Message=text, Subject="AWS CloudFormation"
        )

    def counts(self, queue: str = "") -> tuple[int, int]:
        """How many messages wait in a queue, and how many are with somebody."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws("sqs").get_queue_attributes(QueueUrl=queue or self.queue, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


def counts(agent: Agent) -> Any:
    """How deliveries to an agent ended."""
    return agent.plugins.plugins["custom_resource"].provider.counts
