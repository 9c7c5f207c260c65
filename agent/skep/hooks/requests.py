"""What the awaited request hooks are given."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from skep.models import Container
    from skep.scheduler import PlacementRequest

__all__ = [
    "ContainerCreating",
    "ContainerStopping",
    "CustomResource",
    "CustomResourceRequest",
    "DiscoveryBackend",
    "Lookup",
    "Metric",
    "Values",
]


@dataclass(frozen=True, slots=True)
class ContainerCreating:
    """A container is about to be placed and created. `client` names who asks, as far as it is known ("")."""

    request: PlacementRequest
    client: str = ""


@dataclass(frozen=True, slots=True)
class ContainerStopping:
    """A container is about to be stopped, killed or removed through skep, by `action` (`stop`, `kill`, `restart`, `remove`)."""

    container: Container
    action: str
    client: str = ""


class DiscoveryBackend(Protocol):
    """Finds the addresses of engines, and makes one known. `rest` is what follows `scheme://`."""

    def watch(self, rest: str, options: Mapping[str, str], heartbeat: float) -> AsyncIterator[Sequence[str]]:
        """Yield all addresses now, and again whenever they change; asks every `heartbeat` seconds where it must ask.

        Raises TemporaryError when it cannot tell for now, SettingsError for a wrong `rest`.
        """
        ...

    async def register(self, rest: str, options: Mapping[str, str], address: str, ttl: float) -> None:
        """Make `address` known for `ttl` seconds. Raises SettingsError where this backend cannot."""
        ...


class Values(dict[str, str | list[str]]):
    """What a lookup found, by attribute. `secret` names the attributes whose values no log and no table may show."""

    def __init__(self, values: Mapping[str, str | list[str]] = {}, secret: Iterable[str] = ()) -> None:
        super().__init__(values)
        self.secret = frozenset(secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A way to turn a name into values; `Agent.lookup` calls it, each distinct question once at a time, and keeps its answers.

    `resolve` gets the properties, each a text or a list of texts, and raises: PropertyError (a property is missing or wrong),
    NotFoundError, AmbiguousError (several match; it lists them), DeniedError, NotReadyError (it is there, but has no values yet), and
    TemporaryError for what may go well later.
    """

    resolve: Callable[[Mapping[str, str | list[str]]], Awaitable[Values]]
    help: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    """What may be asked, with a text for people; a name that ends with `*` stands for all that begin so."""
    required: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What is answered, with a text for people; `*` as in `properties`."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """The IAM actions that `resolve` may call, each with the ARN that it needs them on (`*`: any), as it is in the partition `aws`."""
    package: str = ""
    """A package that has the same resolver for a place without skep, as AWS Lambda: only the standard library is imported, and modules of
    its own by relative imports. It has `async resolve(name, properties, aws)`; see skep_aws/resolvers. "" is none."""
    max_age: float = 60.0
    """How old an answer may be, in seconds, unless who asks says so."""
    timeout: float = 30.0
    """How long `resolve` may take, in seconds."""

    def policy(self, role: str = "", partition: str = "aws") -> dict[str, object]:
        """The least IAM policy that it needs, as a document.

        role: the ARN of a role that it takes on. partition: of AWS, what ARNs begin with: `aws`, `aws-cn`, `aws-us-gov`.
        """
        by_resource: dict[str, list[str]] = {}
        own = {action: re.sub("^arn:aws:", f"arn:{partition}:", resource) for action, resource in self.actions.items()}
        wanted = own | ({"sts:AssumeRole": role} if role else {})
        for action, resource in sorted(wanted.items()):
            by_resource.setdefault(resource, []).append(action)
        statements = [{"Effect": "Allow", "Action": each, "Resource": arn} for arn, each in by_resource.items()]
        return {"Version": "2012-10-17", "Statement": statements}


class CustomResourceRequest(Protocol):
    """What CloudFormation asks of a custom resource. Scalars in `properties` are always texts: "true", "5"."""

    @property
    def type(self) -> str:
        """`Create`, `Update` or `Delete`."""
        ...

    @property
    def properties(self) -> Mapping[str, Any]:
        """Those of the template, without CloudFormation's own."""
        ...

    @property
    def old_properties(self) -> Mapping[str, Any]:
        """For Update: those before it."""
        ...

    @property
    def physical_id(self) -> str:
        """What CloudFormation knows the thing by; "" for Create."""
        ...

    @property
    def stack_id(self) -> str:
        """The stack's ARN."""
        ...

    @property
    def request_id(self) -> str:
        """The same for every delivery of one request."""
        ...

    @property
    def logical_id(self) -> str:
        """The resource's name in the template."""
        ...

    def answer(
        self, values: Mapping[str, Any] | None = None, *, physical_id: str = "", no_echo: bool = False
    ) -> object:
        """An answer that says more than its values.

        physical_id: another one than before makes CloudFormation delete what had that. no_echo: show the values to nobody.
        """
        ...


CustomResource = Callable[[CustomResourceRequest], Awaitable[object]]
"""Serves a custom resource of CloudFormation: does what is asked, and returns values by name, `request.answer(…)`, or None.

Raises as lookups do; what is a TemporaryError is tried again while CloudFormation waits. It may be called again with a request that it was
killed at, and with Delete for a thing that was never made.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """One sample for /metrics. `kind` is `counter` or `gauge`; names follow Prometheus' rules."""

    name: str
    value: float
    help: str = ""
    kind: str = "gauge"
    labels: tuple[tuple[str, str], ...] = ()
