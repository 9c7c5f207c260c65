"""Options that several commands have."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from skep.cli.client import AgentClient

__all__ = ["Duration", "agent_option", "discovery_argument", "json_option", "key_values", "wait_option"]

F = TypeVar("F", bound=Callable[..., Any])
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 2**63 / 1e9


class Duration(click.ParamType[float]):
    """A duration as Go writes it, `60s`, `1m30s`, `500ms`; in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read one; whatever is wrong is a usage error."""
        if isinstance(value, int | float):
            return float(value)
        sign, text = (-1.0, value[1:]) if value[:1] == "-" else (1.0, value.removeprefix("+"))
        parts = _PART.findall(text)
        if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
            self.fail(f"{value!r} is not a duration; right would be 60s, 1m30s or 500ms", param, ctx)
        seconds = sign * sum(float(number) * _SECONDS[unit] for number, unit in parts)
        if abs(seconds) > _LONGEST:
            self.fail(f"{value!r} is too long", param, ctx)
        return seconds


def agent_option(command: F) -> F:
    """Give a command the option `--agent/-A URL`; its function gets an `AgentClient` as keyword `agent`."""

    @click.option(
        "--agent", "-A", "url", default="", metavar="URL",
        help="Where the agent listens, unix:///path or tcp://host:port; the environment's SKEP_AGENT otherwise.",
    )  # fmt: skip
    @functools.wraps(command)
    def wrapped(*arguments: Any, url: str, **options: Any) -> Any:
        return command(*arguments, agent=AgentClient(url), **options)

    return wrapped  # type: ignore[return-value]


def json_option(command: F) -> F:
    """Give a command the flag `--json`, as keyword `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def wait_option(what: str) -> Callable[[F], F]:
    """Give a command the option `--wait DURATION`, "wait so long for what"; in seconds, as keyword `wait`."""
    return click.option("--wait", type=Duration(), default="0s", show_default=True, help=f"Wait so long {what}.")


def discovery_argument(command: F) -> F:
    """Give a command the discovery URL as its argument; the environment's SWARM_DISCOVERY otherwise."""
    return click.argument("discovery", envvar="SWARM_DISCOVERY", required=False, default="")(command)


def key_values(flag: str, entries: tuple[str, ...]) -> Mapping[str, str]:
    """`key=value` texts of a repeated flag; the first of a key counts. Raises UsageError."""
    found: dict[str, str] = {}
    for entry in entries:
        key, separator, value = entry.partition("=")
        if not separator or not key:
            raise click.UsageError(f"{flag} {entry!r}: expected key=value")
        found.setdefault(key, value)
    return found
