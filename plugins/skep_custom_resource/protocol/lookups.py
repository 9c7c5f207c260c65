"""Lookups as custom resources: how their properties and errors are read."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from skep_custom_resource.protocol.request import ResourceRequest
from skep_custom_resource.protocol.run import Failure, Resource, ResourceError

__all__ = ["asked", "explain_unresolved", "packaged"]

_AGAIN = "not ready", "temporary"
_GONE = "not found"


def asked(properties: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """A request's properties as lookups take them, texts and lists of texts. Raises ResourceError naming what is neither."""
    found: dict[str, str | list[str]] = {}
    for key, value in properties.items():
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            found[key] = value
        elif isinstance(value, bool | int | float):
            found[key] = str(value).lower()
        else:
            raise ResourceError(f"{key[:60]}: expected a text or a list of texts")
    return found


def packaged(name: str, package: str, **options: Any) -> Resource:
    """The lookup `name` of a package of resolvers that needs no skep (see `Lookup.package`), as a custom resource.

    The package is imported by the first request, so that a failure of that is answered too. options: for its clients of AWS.
    """

    async def function(request: ResourceRequest) -> Any:
        resolvers = importlib.import_module(package)
        aws = resolvers.Boto3(**options) if hasattr(resolvers, "Boto3") else None
        values = await resolvers.resolve(name, asked(request.properties), aws)
        return request.answer(values, no_echo=bool(getattr(values, "secret", ())))

    return Resource(name, function)


def explain_unresolved(error: Exception) -> Failure | None:
    """What an error of such a package means: it says so in its attribute `kind`, and its text is meant to be read."""
    kind = getattr(error, "kind", None)
    if not isinstance(kind, str):
        return None
    return Failure(str(error), again=kind in _AGAIN, gone=kind == _GONE)
