"""The plugin: what its hooks do. The work itself is `keeper`, `actions` and `asked`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

from skep import ContainerCreating, Metric, Plugin
from skep_envfile.settings import EnvFileSettings

if TYPE_CHECKING:
    import click
    from aiohttp import web

    from skep_envfile.actions import Actions
    from skep_envfile.asked import Allowed
    from skep_envfile.keeper import Keeper

__all__ = ["EnvFilePlugin"]

_ASK_TIMEOUT = 8.0  # seconds; a hook has ten


class EnvFilePlugin(Plugin):
    """Keeps env files in step with what lookups find, and gives containers the looked-up values that they ask for."""

    Settings = EnvFileSettings
    settings: EnvFileSettings
    name = "envfile"
    keeper: Keeper | None = None
    """What keeps the files, while the agent runs."""
    _actions: Actions
    _allowed: Allowed
    _turns: asyncio.Semaphore

    async def __aenter__(self) -> Self:
        from skep_envfile.actions import Actions
        from skep_envfile.asked import Allowed
        from skep_envfile.keeper import Keeper

        self._allowed = Allowed(self.settings.ask)
        self._turns = asyncio.Semaphore(self.settings.concurrency)
        self.keeper = keeper = Keeper(self.agent, self.log, self.name, self.settings)
        self._actions = keeper.actions = Actions(
            self.agent,
            self.log,
            self.settings.files,
            state=keeper.state.file,
            values=keeper.values,
            is_open=self._allowed.gives,
        )
        return self

    async def run(self) -> None:
        """Keep the files true, and do what is to be done where they change."""
        if self.keeper is None or not self.settings.files:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._actions.run(), name=f"plugin {self.name}: actions")
            group.create_task(self.keeper.run(), name=f"plugin {self.name}: files")

    async def container_creating(self, creating: ContainerCreating) -> ContainerCreating | None:
        """Give the container the values that its `from:` entries ask for; refuse labels by which it would be given more than it may have."""
        from skep_envfile.actions.containers import CLIENT
        from skep_envfile.asked import check_claims, fill

        if creating.client != CLIENT:
            check_claims(self.settings.files, self._allowed, creating)
        return await fill(self.agent, self._allowed, creating, _ASK_TIMEOUT, self._turns)

    # -- contributions

    def expression_kinds(self) -> Mapping[str, str]:
        """`from:LOOKUP==VALUE`."""
        from skep_envfile.asked import FROM, LABEL, FromLabel

        return {FROM: FromLabel(LABEL)}

    def metrics(self) -> Iterable[Metric]:
        """Of each file its age and how its refreshes ended."""
        for file in self.keeper.files.values() if self.keeper is not None else ():
            label = (("file", file.name),)
            if file.checked:
                age = max(0.0, time.time() - file.checked)
                yield Metric(
                    "skep_envfile_age_seconds", age, "Time since the file was last known to be true.", labels=label
                )
                yield Metric(
                    "skep_envfile_last_success_timestamp_seconds",
                    file.checked,
                    "When the file was last known to be true.",
                    labels=label,
                )
            yield Metric("skep_envfile_good", file.state == "good", "Whether the last refresh went well.", labels=label)
            for result, count in (("success", file.succeeded), ("failure", file.failed)):
                labels = (*label, ("result", result))
                yield Metric("skep_envfile_refreshes_total", count, "Refreshes by how they ended.", "counter", labels)
        if self.keeper is not None:
            failures = self.keeper.state.failures
            yield Metric(
                "skep_envfile_state_failures_total",
                failures,
                "How often the state file could not be written.",
                "counter",
            )

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """`/plugins/envfile/status` and `/refresh`."""
        from skep_envfile.routes import add_routes

        add_routes(router, self)

    def add_commands(self) -> Iterable[click.Command]:
        """`skep envfile`."""
        from skep_envfile.commands import envfile

        return (envfile,)
