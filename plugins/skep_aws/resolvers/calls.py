"""How resolvers ask AWS: `Aws` is what a front end gives them, `Calls` what they use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .errors import TEMPORARY, AwsError, told

__all__ = ["Aws", "Calls", "Place", "Values", "together"]

T = TypeVar("T")
_MOST_PAGES = 1000
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
}
"""By how the names of regions begin; all others are `aws`."""


class Values(dict[str, "str | list[str]"]):
    """What was found, by attribute. `secret` names the attributes that no log may show."""

    def __init__(self, values: Mapping[str, str | list[str]] = {}, secret: Iterable[str] = ()) -> None:
        super().__init__(values)
        self.secret = frozenset(secret)


@dataclass(frozen=True)
class Place:
    """Where to ask, and as whom: "" is the front end's own region, and its own credentials."""

    region: str = ""
    role: str = ""
    """The ARN of a role to take on."""
    external_id: str = ""
    session: str = "skep"

    @property
    def partition(self) -> str:
        """The part of AWS, as its ARNs begin: `aws`, `aws-cn`. Without a role and a region, that of the environment's region."""
        if self.role:
            return self.role.split(":")[1] if self.role.count(":") else "aws"
        region = self.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


class Aws(Protocol):
    """Carries out calls. Operations have the API's names (`DescribeStacks`), services botocore's (`cloudformation`)."""

    async def call(self, place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call, without pagination. Raises botocore's errors, or AwsError."""
        ...


class Calls:
    """The calls of one lookup, in one place. All raise AwsError."""

    def __init__(self, aws: Aws, place: Place) -> None:
        self._aws = aws
        self.place = place

    async def __call__(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Make one call."""
        try:
            return await self._aws.call(self.place, service, operation, parameters)
        except Exception as error:
            raise told(f"{service}:{operation}", error) from None

    async def pages(
        self,
        service: str,
        operation: str,
        key: str,
        /,
        by: tuple[str, str] = ("NextToken", "NextToken"),
        **parameters: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield all items below `key` of all pages. `by`: the answer's key that leads to the next page, and the parameter that takes it."""
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            answer = await self(service, operation, **parameters)
            for item in answer.get(key) or ():
                yield item
            following = answer.get(by[0])
            if not following:
                return
            if following in seen:
                break
            seen.add(following)
            parameters[by[1]] = following
        raise AwsError(TEMPORARY, "", f"{service}:{operation}: the pages of the answer do not end")


async def together(*asking: Coroutine[Any, Any, T]) -> list[T]:
    """Ask at once; the answers in order. The first error ends the others, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asking]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [each.result() for each in tasks]
