"""`Source`: a resolver, with what it is asked, what it answers, and what it calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .calls import Calls, Values
from .properties import Properties

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """One kind of lookup."""

    resolve: Callable[[Properties, Calls], Awaitable[Values]]
    help: str
    properties: Mapping[str, str]
    attributes: Mapping[str, str]
    actions: Mapping[str, str]
    """The IAM actions that it may call, each with the ARN that it needs them on."""
    required: tuple[str, ...] = ()
