"""/metrics in Prometheus' text format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from skep import Lookup, Metric, Plugin, Values
from skep.control.metrics import render

_SAMPLE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\[\\n"])*",?)+\})? (NaN|[+-]?Inf|-?[0-9.e+-]+)'
)


class CountingPlugin(Plugin):
    name = "counting"

    def metrics(self) -> Iterable[Metric]:
        return [Metric("counting_things_total", 3, "Things.", "counter", (("kind", "odd"),))]


class LookingPlugin(Plugin):
    name = "looking"

    def lookups(self) -> Mapping[str, Lookup]:
        return {"thing": Lookup(resolve=self.resolve)}

    async def resolve(self, properties: Mapping[str, str | list[str]]) -> Values:
        return Values({"A": "1"})


class FailingPlugin(Plugin):
    name = "failing"

    def metrics(self) -> Iterable[Metric]:
        yield Metric("failing_things", 1)
        raise RuntimeError("no")


class SpoilingPlugin(Plugin):
    name = "spoiling"

    def metrics(self) -> Iterable[Metric]:
        return [Metric("skep_nodes 99\nskep_nodes", 1)]


async def test_every_line_is_prometheus_text(serve: Any) -> None:
    served = await serve(CountingPlugin)
    served.engines[0].run("web")
    status, text = await served.ask("GET", "/metrics")
    assert status == 200
    families: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            families.append(line.split()[2])
        elif not line.startswith("# HELP "):
            assert _SAMPLE.fullmatch(line), line
            assert re.split("[ {]", line)[0] == families[-1]
    assert len(families) == len(set(families))
    assert 'skep_nodes{status="healthy"} 2' in text
    assert 'skep_engine_calls_total{node="one"}' in text
    assert 'counting_things_total{kind="odd"} 3' in text
    assert "process_resident_memory_bytes" in text


async def test_lookups_are_counted_by_how_they_ended(serve: Any) -> None:
    served = await serve(LookingPlugin)
    await served.agent.lookup("thing", {})
    await served.agent.lookup("thing", {})
    _, text = await served.ask("GET", "/metrics")
    assert 'skep_lookups_total{lookup="thing",result="success"} 1' in text
    assert 'skep_lookups_total{lookup="thing",result="kept"} 1' in text
    assert 'skep_lookup_seconds_total{lookup="thing"} ' in text
    assert 'skep_plugin_calls_total{plugin="looking"} 2' in text  # it was asked for its lookups, and one question


@pytest.mark.parametrize("plugin", [FailingPlugin, SpoilingPlugin])
async def test_a_plugins_bad_metrics_take_nothing_away(serve: Any, plugin: type[Plugin]) -> None:
    served = await serve(plugin, CountingPlugin)
    status, text = await served.ask("GET", "/metrics")
    assert status == 200
    assert f'skep_plugin_metrics_failed{{plugin="{plugin.name}"}} 1' in text
    assert "counting_things_total" in text
    assert "failing_things" not in text
    assert "99" not in text.partition("# HELP process")[0].partition("seconds")[0]


def test_texts_are_escaped() -> None:
    text = render(
        [
            Metric("a", 1.5, "one\ntwo \\", labels=(("l", 'q"uo\\te\n'),)),
            Metric("a", float("inf")),
            Metric("b", float("nan")),
        ]
    )
    assert text == (
        '# HELP a one\\ntwo \\\\\n# TYPE a gauge\na{l="q\\"uo\\\\te\\n"} 1.5\na +Inf\n# TYPE b gauge\nb NaN\n'
    )
