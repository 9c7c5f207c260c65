"""All kinds of lookup, by name."""

from __future__ import annotations

from collections.abc import Mapping

from .source import Source
from .stack import STACK

__all__ = ["SOURCES"]

SOURCES: Mapping[str, Source] = {"stack": STACK}
