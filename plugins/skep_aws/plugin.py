"""The plugin: its settings, and the lookups that it brings."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

from msgspec import Meta

from skep import (
    AmbiguousError,
    DeniedError,
    Lookup,
    NotFoundError,
    NotReadyError,
    Plugin,
    PluginError,
    PluginSettings,
    PropertyError,
    Seconds,
    SkepError,
    TemporaryError,
    Values,
)
from skep_aws import resolvers

if TYPE_CHECKING:
    from skep_aws.backend import Backend

__all__ = ["AwsPlugin", "AwsSettings"]

_RATES = {
    # AWS allows more of most; route53 allows 5 a second for a whole account, whoever asks.
    "default": 5.0,
    "ec2": 10.0,
    "route53": 2.0,
    "secretsmanager": 20.0,
    "ssm": 20.0,
}
_MISSING = "install skep with its extra: pip install 'skep[aws]'"
_ERRORS: Mapping[str, type[SkepError]] = {
    resolvers.NOT_FOUND: NotFoundError,
    resolvers.NOT_READY: NotReadyError,
    resolvers.BAD_PROPERTY: PropertyError,
    resolvers.DENIED: DeniedError,
    resolvers.TEMPORARY: TemporaryError,
}


class AwsSettings(PluginSettings, frozen=True, kw_only=True):
    """How AWS is asked. What is empty is what AWS' own tools would take: environment, ~/.aws, the machine's role."""

    region: str = ""
    """The region to look in, unless a lookup names one."""
    profile: str = ""
    """The profile in ~/.aws to take credentials and region from."""
    role: str = ""
    """The ARN of a role to take on, unless a lookup names one."""
    external_id: str = ""
    """What that role's trust policy demands."""
    endpoint_url: str = ""
    """Another URL instead of AWS' own, for all services: `http://127.0.0.1:5000`."""
    max_age: Seconds = 60.0
    """How old an answer may be that is given again without asking AWS."""
    lookup_timeout: Seconds = 30.0
    """How long a lookup may take, with all its calls."""
    connect_timeout: Seconds = 3.0
    """How long it may take to connect to AWS."""
    read_timeout: Seconds = 20.0
    """How long AWS may take to answer a call."""
    attempts: Annotated[int, Meta(ge=1, le=20)] = 4
    """How often a call is tried where AWS throttles or is away."""
    rates: Mapping[str, Annotated[float, Meta(gt=0)]] = {}
    """Calls a second, by service as botocore calls it; `default` for those not named. Over the built-in ones."""
    warm: tuple[str, ...] = ()
    """Services, as botocore calls them, to be ready for when the agent starts, so that their first lookup is no slower than the next."""


class AwsPlugin(Plugin):
    """Brings a lookup for each source in `skep_aws.resolvers`. Nothing of AWS is imported before the first one."""

    Settings = AwsSettings
    settings: AwsSettings
    _backend: Backend | None = None

    def lookups(self) -> Mapping[str, Lookup]:
        """All of them."""
        return {name: self._lookup(name, source) for name, source in resolvers.SOURCES.items()}

    async def run(self) -> None:
        """Make ready what the settings want ready."""
        if self.settings.warm:
            await self._opened().warm(self.settings.warm)

    def _lookup(self, name: str, source: resolvers.Source) -> Lookup:
        return Lookup(
            resolve=self._resolver(name),
            help=source.help,
            properties={**source.properties, **resolvers.COMMON},
            required=source.required,
            attributes=source.attributes,
            actions=source.actions,
            package=resolvers.__name__,
            max_age=self.settings.max_age,
            timeout=self.settings.lookup_timeout,
        )

    def _resolver(self, name: str) -> Callable[[Mapping[str, str | list[str]]], Awaitable[Values]]:
        async def resolve(properties: Mapping[str, str | list[str]]) -> Values:
            if name == "stack":  # an attribute for templates, where it is one value; here each output is one already
                properties = {"Environment": "false", **properties}
            if self.settings.region:
                properties = {"Region": self.settings.region, **properties}
            try:
                found = await resolvers.resolve(name, properties, self._opened())
            except resolvers.Unresolved as error:
                raise _error(name, error) from None
            except ImportError as error:
                raise PluginError(f"plugin aws: {error}; {_MISSING}") from None
            return Values(found, found.secret)

        return resolve

    def _opened(self) -> Backend:
        if self._backend is None:
            from skep_aws.backend import Backend
            from skep_aws.session import AwsOptions

            own = self.settings
            options = AwsOptions(own.region, own.endpoint_url, own.profile, own.connect_timeout, own.read_timeout)
            rates = {**_RATES, **own.rates}
            self._backend = Backend(
                options, attempts=own.attempts, rates=rates, role=own.role, external_id=own.external_id
            )
        return self._backend

    async def __aenter__(self) -> Self:
        if await asyncio.to_thread(importlib.util.find_spec, "aioboto3") is None:
            raise PluginError(f"plugin aws: aioboto3 is not installed; {_MISSING}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._backend is not None:
            await self._backend.aclose()
            self._backend = None


def _error(name: str, error: resolvers.Unresolved) -> SkepError:
    """An error of the resolvers as skep's own."""
    message = f"lookup {name}: {error}"
    if error.kind == resolvers.AMBIGUOUS:
        return AmbiguousError(message, error.candidates)
    return _ERRORS[error.kind](message)
