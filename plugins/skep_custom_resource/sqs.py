"""The queue that requests come by: Amazon SQS. The AWS library is imported, and its client made, in a thread: both take long."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from skep import PluginError

__all__ = ["Message", "Queue"]

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")
_NO_KEYS = (
    "NoCredentials",
    "PartialCredentials",
    "CredentialRetrieval",
    "TokenRetrieval",
    "SSOToken",
    "UnauthorizedSSO",
)
"""Codes of AWS, and how botocore's own errors begin."""
_WAIT = 20  # seconds of a long poll, the most that SQS has


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of a message. `sent` is when it was sent, in seconds since the epoch (0: not known)."""

    id: str
    handle: str = field(repr=False)
    body: str = field(repr=False)
    sent: float = 0.0
    deliveries: int = 1


class Queue:
    """One queue, by its URL. `options` are those of the client: region_name, endpoint_url. All calls raise the library's errors."""

    def __init__(self, url: str, *, visibility: float, profile: str = "", **options: Any) -> None:
        self.url = url
        self._visibility = math.ceil(visibility)
        self._profile = profile
        self._options = options
        self._context: AbstractAsyncContextManager[Any] | None = None
        self._client: Any = None

    async def open(self) -> None:
        """Make the client. Asks nobody, unless credentials must be fetched."""
        self._context, self._client = await asyncio.to_thread(asyncio.run, self._made())

    async def _made(self) -> tuple[AbstractAsyncContextManager[Any], Any]:
        try:
            import aioboto3
            from botocore.config import Config
        except ImportError as error:
            raise PluginError(f"{error}; the queue needs the AWS library: pip install 'skep[aws]'") from None

        config = Config(
            connect_timeout=5, read_timeout=_WAIT + 10, retries={"mode": "standard", "total_max_attempts": 2}
        )
        session = aioboto3.Session(**({"profile_name": self._profile} if self._profile else {}))
        context = session.client("sqs", config=config, **self._options)
        return context, await context.__aenter__()

    @property
    def region(self) -> str:
        """Where it is, as the client knows it; "" before `open`."""
        return str(self._client.meta.region_name or "") if self._client is not None else ""

    async def receive(self, most: int) -> list[Message]:
        """Wait up to 20 s for messages; up to 10 of them. They are ours for the time of `visibility`."""
        try:
            answer = await self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(most, 10),
                WaitTimeSeconds=_WAIT,
                VisibilityTimeout=self._visibility,
                AttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        except Exception as error:
            if _is_about_keys(error):
                await self._renew()
            raise
        return [_message(each) for each in answer.get("Messages") or ()]

    async def keep(self, message: Message) -> None:
        """Let nobody else see the message for `visibility` more."""
        await self._client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message.handle, VisibilityTimeout=self._visibility
        )

    async def delete(self, message: Message) -> None:
        """Be done with it."""
        await self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message.handle)

    async def _renew(self) -> None:
        """Make the client anew, with keys as they are now: one that found none never looks again."""
        former = self._context
        await self.open()
        if former is not None:
            await former.__aexit__(None, None, None)

    async def aclose(self) -> None:
        """Close the client."""
        if self._context is not None:
            await self._context.__aexit__(None, None, None)
            self._context = None


def _is_about_keys(error: Exception) -> bool:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else ""
    return code in _EXPIRED or type(error).__name__.startswith(_NO_KEYS)


def _message(found: Mapping[str, Any]) -> Message:
    attributes = found.get("Attributes") or {}
    return Message(
        id=str(found.get("MessageId", "")),
        handle=str(found.get("ReceiptHandle", "")),
        body=str(found.get("Body", "")),
        sent=_number(attributes.get("SentTimestamp")) / 1000,
        deliveries=int(_number(attributes.get("ApproximateReceiveCount", "1"))),
    )


def _number(text: object) -> float:
    return float(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20 else 0.0
