"""A lookup whose answers the test sets, and which counts its questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from skep import Lookup, NotFoundError, Plugin, PluginEvent, SkepError, Values
from skep_envfile.keeper import Keeper

Files = Mapping[str, Mapping[str, Any]]
KeeperOf = Callable[[Files], AbstractAsyncContextManager[Keeper]]


class Sources(Plugin):
    """The lookup `things`: what `answers` holds by the property `Name`; counts how often each is asked. Keeps what plugins tell."""

    name = "sources"

    def __init__(self, settings: None = None) -> None:
        super().__init__(settings)
        self.answers: dict[str, Mapping[str, str | list[str]] | SkepError] = {}
        self.asked: dict[str, int] = {}
        self.told: list[PluginEvent] = []

    def lookups(self) -> Mapping[str, Lookup]:
        return {"things": Lookup(resolve=self.resolve, help="Things.", required=("Name",), properties={"Name": ""})}

    async def resolve(self, properties: Mapping[str, Any]) -> Values:
        name = properties["Name"]
        self.asked[name] = self.asked.get(name, 0) + 1
        answer = self.answers.get(name, NotFoundError(f"there is no thing {name}"))
        if isinstance(answer, SkepError):
            raise answer
        return answer if isinstance(answer, Values) else Values(answer)

    async def plugin_event(self, event: PluginEvent) -> None:
        self.told.append(event)


def thing(name: str, **rules: Any) -> dict[str, Any]:
    """A source of the lookup `things`."""
    return {"lookup": "things", "properties": {"Name": name}, **rules}
