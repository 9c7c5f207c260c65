"""A request of CloudFormation, parsed; everything in it is hostile until then.

Source: AWS CloudFormation User Guide, "Custom resource request objects" and "crpg-ref-requesttypes".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from skep_custom_resource.protocol.answer import ResourceAnswer
from skep_custom_resource.protocol.urls import UrlRules

__all__ = ["MAX_TIMEOUT", "InvalidRequestError", "ResourceRequest", "parse_event", "parse_message"]

MAX_TIMEOUT = 3600.0
"""Seconds that CloudFormation waits for an answer at most, and unless `ServiceTimeout` says otherwise."""
_STACK = re.compile(
    r"arn:aws[a-z-]{0,20}:cloudformation:(?P<region>[a-z0-9-]{1,40}):(?P<account>\d{12}):stack/[A-Za-z0-9_/-]+"
)
_ID = re.compile(r"[A-Za-z0-9_.:/@+=-]{1,256}")
_TYPES = "Create", "Update", "Delete"
_LONGEST_STACK = 1000
_LONGEST_PHYSICAL = 1024  # bytes
_OWN = "ServiceToken", "ServiceTimeout"
"""Properties that are CloudFormation's own."""


class InvalidRequestError(ValueError):
    """What came is not a request that could be answered; the text says why, and repeats no secret of it."""


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What CloudFormation asks of a custom resource. Scalars in `properties` are always texts: "true", "5".

    stack_id, request_id, logical_id and resource_type are as sent; `physical_id` is "" for Create. `timeout` is how long CloudFormation waits
    for the answer, in seconds. `fault` says what is wrong with the request though it can be answered; "" is nothing.
    """

    type: str
    stack_id: str
    request_id: str
    logical_id: str
    resource_type: str = ""
    physical_id: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    old_properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout: float = MAX_TIMEOUT
    fault: str = ""
    response_url: str = field(default="", repr=False)
    """A secret: whoever has it may answer."""

    @property
    def region(self) -> str:
        """Of the stack."""
        return self.stack_id.split(":")[3]

    @property
    def account(self) -> str:
        """Of the stack."""
        return self.stack_id.split(":")[4]

    @property
    def key(self) -> str:
        """The same for every delivery of this request, and for no other request."""
        return sha256(f"{self.stack_id}|{self.request_id}".encode()).hexdigest()[:32]

    @property
    def resource_key(self) -> str:
        """The same for all requests about this resource of this stack."""
        return sha256(f"{self.stack_id}|{self.logical_id}".encode()).hexdigest()[:32]

    def default_id(self, name: str) -> str:
        """The physical id unless an answer says otherwise: the one that there is, else one that follows from stack and logical id."""
        if self.physical_id:
            return self.physical_id
        return f"skep-{name}-{self.resource_key[:16]}"

    def answer(
        self, values: Mapping[str, Any] | None = None, *, physical_id: str = "", no_echo: bool = False
    ) -> ResourceAnswer:
        """An answer that says more than its values.

        physical_id: another one than before makes CloudFormation delete what had that. no_echo: show the values to nobody.
        """
        return ResourceAnswer(values=dict(values or {}), physical_id=physical_id, no_echo=no_echo)

    def __str__(self) -> str:
        return f"{self.type} of {self.logical_id} in {self.stack_id.split('/')[1]} (request {self.request_id})"


def parse_message(text: str | bytes, rules: UrlRules) -> ResourceRequest:
    """Read a request from JSON. Raises InvalidRequestError."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequestError("it is not JSON") from None
    return parse_event(event, rules)


def parse_event(event: object, rules: UrlRules) -> ResourceRequest:
    """Read a request. Raises InvalidRequestError where it names nobody to answer, or an address that is not CloudFormation's.

    What else is wrong is told in its `fault`, so that CloudFormation is answered.
    """
    if not isinstance(event, dict):
        raise InvalidRequestError("it is not a request of CloudFormation: expected a JSON object")
    stack, request, logical, url = (
        event.get(key) for key in ("StackId", "RequestId", "LogicalResourceId", "ResponseURL")
    )
    match = _STACK.fullmatch(stack) if isinstance(stack, str) and len(stack) <= _LONGEST_STACK else None
    if match is None or not isinstance(stack, str):
        raise InvalidRequestError("it is not a request of CloudFormation: StackId is not the ARN of a stack")
    for key, value in (("RequestId", request), ("LogicalResourceId", logical)):
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise InvalidRequestError(f"it is not a request of CloudFormation: {key} is not an id")
    if not isinstance(url, str):
        raise InvalidRequestError("it is not a request of CloudFormation: it has no ResponseURL")
    if fault := rules.fault(url, match["region"]):
        raise InvalidRequestError(fault)
    return _request(event, stack, str(request), str(logical), url)


def _request(event: Mapping[str, Any], stack: str, request: str, logical: str, url: str) -> ResourceRequest:
    kind, resource_type = event.get("RequestType"), event.get("ResourceType", "")
    properties, old = event.get("ResourceProperties", {}), event.get("OldResourceProperties", {})
    faults = []
    if kind not in _TYPES:
        faults.append(f"RequestType: expected one of {', '.join(_TYPES)}")
    if not isinstance(resource_type, str) or len(resource_type) > 100 or not resource_type.isprintable():
        faults.append("ResourceType: expected a name such as Custom::Stack")
    if not isinstance(properties, dict) or not isinstance(old, dict):
        faults.append("ResourceProperties: expected an object")
    timeout, fault = _timeout(properties)
    faults += [fault] if fault else []
    return ResourceRequest(
        type=str(kind) if kind in _TYPES else "",
        stack_id=stack,
        request_id=request,
        logical_id=logical,
        resource_type=resource_type if isinstance(resource_type, str) else "",
        physical_id=_physical(event.get("PhysicalResourceId")),
        properties=_own(properties),
        old_properties=_own(old),
        timeout=timeout,
        fault="; ".join(faults),
        response_url=url,
    )


def _own(properties: object) -> Mapping[str, Any]:
    return {key: value for key, value in properties.items() if key not in _OWN} if isinstance(properties, dict) else {}


def _physical(value: object) -> str:
    """The id that CloudFormation knows; it made up its own where no answer ever came, so any text is right."""
    if not isinstance(value, str) or not value.isprintable() or len(value.encode(errors="replace")) > _LONGEST_PHYSICAL:
        return ""
    return value


def _timeout(properties: object) -> tuple[float, str]:
    value = properties.get("ServiceTimeout") if isinstance(properties, dict) else None
    if value is None:
        return MAX_TIMEOUT, ""
    text = str(value)
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_TIMEOUT:
        return float(text), ""
    return MAX_TIMEOUT, f"ServiceTimeout: expected whole seconds from 1 to {MAX_TIMEOUT:.0f}"
