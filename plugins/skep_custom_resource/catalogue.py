"""Which custom resource a request is for: by its type, `Custom::StackDependency`, `Custom::Stack`; lookups, and what plugins bring beside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skep import NotFoundError, PluginError, SkepError, TemporaryError
from skep_custom_resource.protocol import Failure, Resource, ResourceRequest
from skep_custom_resource.protocol.lookups import asked

if TYPE_CHECKING:
    from skep import Agent

__all__ = ["Catalogue", "explain", "plain"]

_ANY_TYPE = "AWS::CloudFormation::CustomResource"
_CHOICE = "Resource"
"""The property that names the resource where the type does not."""
_TEXT = "Environment"
"""A lookup that takes this property answers all its values as one text too, unless told not to: templates want that."""


def plain(text: str) -> str:
    """A name without what does not tell it from others: `Custom::Stack-Dependency` is `stack`."""
    return re.sub(r"[^a-z0-9]", "", text.lower().removeprefix("custom::")).removesuffix("dependency")


def explain(error: Exception) -> Failure | None:
    """What an error of skep means; their texts are meant to be read, but for that of a broken plugin."""
    if isinstance(error, PluginError) or not isinstance(error, SkepError):
        return None
    again = isinstance(error, TemporaryError)
    delay = error.delay if isinstance(error, TemporaryError) else None
    return Failure(str(error), again=again, delay=delay, gone=isinstance(error, NotFoundError))


class Catalogue:
    """The custom resources of an agent. `seconds` is how long one call of a lookup may take."""

    def __init__(self, agent: Agent, seconds: float) -> None:
        self._agent = agent
        self._seconds = seconds
        self._resources = {plain(each.name): each for each in [*self._lookups(), *self._contributed()]}

    @property
    def names(self) -> list[str]:
        """All, sorted."""
        return sorted(each.name for each in self._resources.values())

    def find(self, request: ResourceRequest) -> Resource:
        """The one that a request is for. Raises LookupError saying which there are."""
        if request.resource_type == _ANY_TYPE:
            wanted = str(request.properties.get(_CHOICE, ""))
            meant = f"the property {_CHOICE} {wanted[:60]!r}"
        else:
            wanted = request.resource_type
            meant = f"the type {wanted[:60]!r}"
        found = self._resources.get(plain(wanted))
        if found is None:
            raise LookupError(
                f"{meant} names no custom resource of this provider; it has {', '.join(self.names) or 'none'}"
            )
        if request.resource_type != _ANY_TYPE:
            return found
        function = found.function

        async def without_choice(request: ResourceRequest) -> Any:
            rest = {key: value for key, value in request.properties.items() if key != _CHOICE}
            return await function(replace(request, properties=rest))

        return replace(found, function=without_choice)

    def _lookups(self) -> Iterator[Resource]:
        for name in self._agent.lookups.known:
            yield Resource(name, _Lookup(self._agent, name, self._seconds))

    def _contributed(self) -> Iterator[Resource]:
        for plugin, resources in self._agent.plugins.contributions("custom_resources"):
            for name, function in resources.items():
                if not plain(name):
                    raise PluginError(
                        f"plugin {plugin}: custom resource {name!r}: expected a name of letters and digits"
                    )
                yield Resource(name, function, deletes=True)


class _Lookup:
    """A lookup as the function of a custom resource: always asked anew, as CloudFormation keeps the answer for long."""

    def __init__(self, agent: Agent, name: str, seconds: float) -> None:
        self._agent, self._name, self._seconds = agent, name, seconds

    async def __call__(self, request: ResourceRequest) -> Any:
        properties = asked(request.properties)
        if _TEXT in self._agent.lookups.known[self._name].properties:
            properties = {_TEXT: "true", **properties}
        values = await self._agent.lookup(self._name, properties, max_age=0, timeout=self._seconds)
        return request.answer(values, no_echo=bool(values.secret))
