"""What one plugin tells the others."""

from __future__ import annotations

import time

from skep import Agent, LifecycleEvent, Plugin, PluginEvent
from skep.testing import wait_for


class Listener(Plugin):
    """Keeps what it is told."""

    name = "listener"

    def __init__(self, settings: None = None) -> None:
        super().__init__(settings)
        self.heard: list[PluginEvent] = []

    async def plugin_event(self, event: PluginEvent) -> None:
        self.heard.append(event)


class Failing(Plugin):
    """Fails at what it is told."""

    name = "failing"

    async def plugin_event(self, event: PluginEvent) -> None:
        raise ValueError("no")


class EveryEvent(Plugin):
    """Hears all that happens in the cluster, which this is not."""

    name = "every"

    def __init__(self, settings: None = None) -> None:
        super().__init__(settings)
        self.heard: list[LifecycleEvent] = []

    async def lifecycle_event(self, event: LifecycleEvent) -> None:
        self.heard.append(event)


async def test_a_plugin_tells_all_that_listen() -> None:
    first, second = Listener(), Listener()
    second.name = "second"
    every = EveryEvent()
    async with Agent(plugins=[first, Failing, second, every]) as agent:
        event = PluginEvent("envfile", "changed", time.time(), {"file": "prod"})
        agent.tell(event)
        await wait_for(lambda: first.heard == second.heard == [event])
        failing = next(each for each in agent.plugins.statuses() if each.name == "failing")
        await wait_for(lambda: failing.hooks["plugin_event"].errors == 1)
    assert every.heard == []
