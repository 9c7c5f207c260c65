"""/metrics: what the agent counts, in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from skep._version import __version__
from skep.errors import NotFoundError
from skep.hooks import Metric
from skep.models import NodeStatus

if TYPE_CHECKING:
    from skep.agent import Agent

__all__ = ["exposition", "render"]

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MOST_OF_ONE_PLUGIN = 10_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


async def exposition(agent: Agent) -> str:
    """All metrics of an agent as a text. A plugin whose metrics fail is left out, and counted."""
    process = await asyncio.to_thread(lambda: list(_process()))
    return render(
        [*_agent(agent), *_engines(agent), *_plugins(agent), *_lookups(agent), *process, *_contributed(agent)]
    )


def render(metrics: Iterable[Metric]) -> str:
    """Samples as Prometheus' text: those of one name together, under one HELP and one TYPE."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(metric.name, []).append(metric)
    return "".join(line for name, family in families.items() for line in _family(name, family))


def _family(name: str, family: list[Metric]) -> Iterator[str]:
    if family[0].help:
        yield f"# HELP {name} {_escaped(family[0].help)}\n"
    yield f"# TYPE {name} {family[0].kind}\n"
    for metric in family:
        labels = ",".join(f'{key}="{_escaped(value, quote=True)}"' for key, value in metric.labels)
        yield f"{name}{{{labels}}} {_number(metric.value)}\n" if labels else f"{name} {_number(metric.value)}\n"


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _agent(agent: Agent) -> Iterator[Metric]:
    yield Metric("skep_info", 1, "The agent's version.", labels=(("version", __version__),))
    if agent.watchdog is not None:
        stalls, longest = agent.watchdog.stalls, agent.watchdog.longest
        yield Metric("skep_loop_stalls_total", stalls, "How often the event loop stood still.", "counter")
        yield Metric("skep_loop_longest_stall_seconds", longest, "How long it stood still at most.")
    state = agent.cluster.state
    statuses = Counter(each.node.status for each in state.nodes)
    for status in NodeStatus:
        yield Metric("skep_nodes", statuses[status], "Nodes by status.", labels=(("status", str(status)),))
    for node in state.nodes:
        label = ("node", node.name)
        up = float(node.node.is_healthy)
        yield Metric("skep_node_healthy", up, "Whether the node's state is known now.", labels=(label,))
        yield Metric("skep_node_reserved_memory_bytes", node.memory_used, "Memory reserved.", labels=(label,))
        yield Metric("skep_node_reserved_cpus", node.cpus_used, "CPUs reserved.", labels=(label,))
        for each, count in Counter(container.state for container in node.containers.values()).items():
            labels = (label, ("state", str(each)))
            yield Metric("skep_containers", count, "Containers by node and state.", labels=labels)


def _engines(agent: Agent) -> Iterator[Metric]:
    for node in agent.cluster.state.nodes:
        labels = (("node", node.name),)
        try:
            member = agent.cluster.member(node.name)
        except NotFoundError:
            continue
        counters, watch = member.engine.counters, member.counters
        kind = "counter"
        yield Metric("skep_engine_calls_total", counters.calls, "Requests sent to the engine.", kind, labels)
        yield Metric("skep_engine_errors_total", counters.errors, "Requests that failed.", kind, labels)
        yield Metric("skep_engine_seconds_total", counters.seconds, "Time until they were answered.", kind, labels)
        yield Metric("skep_engine_reconnects_total", watch.reconnects, "Times it was followed anew.", kind, labels)
        yield Metric("skep_engine_resyncs_total", watch.resyncs, "Periodic listings.", kind, labels)
        yield Metric("skep_engine_gaps_total", watch.gaps, "Changes that no event told of.", kind, labels)
        yield Metric("skep_engine_events_skipped_total", watch.skipped, "Events thrown away.", kind, labels)
        yield Metric("skep_engine_read_errors_total", watch.read_errors, "Failed looks at its state.", kind, labels)


def _plugins(agent: Agent) -> Iterator[Metric]:
    for row in agent.plugins.report():
        if row["status"] == "installed":
            continue
        labels = (("plugin", row["name"]),)
        yield Metric("skep_plugin_running", row["status"] == "running", "Whether the plugin works.", labels=labels)
        for key, help_ in _PLUGIN_COUNTERS.items():
            yield Metric(f"skep_plugin_{key}_total", row[key], help_, "counter", labels)


_PLUGIN_COUNTERS = {
    "calls": "Calls of the plugin's hooks.",
    "errors": "Calls that failed.",
    "timeouts": "Calls that were cut off.",
    "seconds": "Time in the plugin's hooks.",
    "dropped": "Events that the plugin was too slow for.",
}


def _lookups(agent: Agent) -> Iterator[Metric]:
    for (name, result), count in sorted(agent.lookups.counts.items()):
        labels = (("lookup", name), ("result", result))
        yield Metric("skep_lookups_total", count, "Questions to lookups by how they ended.", "counter", labels)
    for name, seconds in sorted(agent.lookups.seconds.items()):
        help_ = "Time until lookups were answered, but for answers that were kept."
        yield Metric("skep_lookup_seconds_total", seconds, help_, "counter", (("lookup", name),))


def _contributed(agent: Agent) -> Iterator[Metric]:
    for plugin, call in agent.plugins.implementing("metrics"):
        try:
            found = [checked for checked, _ in zip(map(_checked, call()), range(_MOST_OF_ONE_PLUGIN), strict=False)]
        except Exception as error:  # a plugin cannot take the others' metrics away
            _log.warning("plugin %s: its metrics fail: %s: %s", plugin, type(error).__name__, error)
            failed = 1.0
        else:
            failed = 0.0
            yield from found
        yield Metric("skep_plugin_metrics_failed", failed, "Whether its metrics failed.", labels=(("plugin", plugin),))


def _checked(metric: Metric) -> Metric:
    """A plugin's sample that cannot spoil the page. Raises ValueError."""
    if (
        not _NAME.fullmatch(metric.name)
        or metric.name.startswith("skep_node")
        or metric.kind not in ("counter", "gauge")
    ):
        raise ValueError(f"{metric.name!r} of kind {metric.kind!r} is not a metric")
    for key, value in metric.labels:
        if not _LABEL.fullmatch(key) or not isinstance(value, str):
            raise ValueError(f"{metric.name}: {key!r} is not a label")
    float(metric.value)
    return metric


def _process() -> Iterator[Metric]:
    yield Metric("process_cpu_seconds_total", time.process_time(), "CPU time used.", "counter")
    with suppress(OSError, ValueError, IndexError):  # not on every system
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        yield Metric("process_resident_memory_bytes", pages * _PAGE, "Memory held.")
        yield Metric("process_open_fds", len(list(Path("/proc/self/fd").iterdir())), "Open files and sockets.")
