"""An answer, and the bytes of it that CloudFormation takes: texts and lists of texts, 4,096 bytes in all.

Source: AWS CloudFormation User Guide, "Custom resource response objects".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skep_custom_resource.protocol.request import ResourceRequest

__all__ = ["MAX_BYTES", "ResourceAnswer", "encode", "failed", "flat"]

MAX_BYTES = 4096
"""What CloudFormation takes of an answer; of a larger one it says no more than that it is too long."""
_LONGEST_REASON = 600  # characters
_DEEPEST = 20
_MOST_KEYS = 10_000
_SHOWN_KEYS = 3


@dataclass(frozen=True, slots=True)
class ResourceAnswer:
    """What is said of a request: values, or the reason why there are none. `physical_id` "" keeps the id that there is."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    physical_id: str = ""
    no_echo: bool = False
    reason: str = ""
    success: bool = True


def failed(reason: str) -> ResourceAnswer:
    """An answer that says why not."""
    return ResourceAnswer(success=False, reason=reason or "it failed")


def encode(request: ResourceRequest, answer: ResourceAnswer, name: str) -> bytes:
    """The body for CloudFormation, never more than `MAX_BYTES`.

    name: the resource's, for a physical id where there is none yet. Values that do not fit, or are no texts, become a failure that names them.
    """
    try:
        physical = _checked_id(answer.physical_id) or request.default_id(name)
        values = dict(flat(answer.values)) if request.type != "Delete" else {}
    except ValueError as error:
        return encode(request, failed(f"{name}: {error}"), name)
    body = _body(request, answer, physical, values)
    if len(body) <= MAX_BYTES:
        return body
    if answer.success:
        # The id stays: for CloudFormation the thing is there, and will be deleted under it.
        return encode(request, replace(failed(_too_large(len(body), values)), physical_id=answer.physical_id), name)
    return encode(request, replace(answer, reason=answer.reason[: len(answer.reason) * 3 // 4]), name)


def _body(request: ResourceRequest, answer: ResourceAnswer, physical: str, values: Mapping[str, Any]) -> bytes:
    content: dict[str, Any] = {
        "Status": "SUCCESS" if answer.success else "FAILED",
        "PhysicalResourceId": physical,
        "StackId": request.stack_id,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_id,
    }
    if answer.reason or not answer.success:
        content["Reason"] = _clean(answer.reason, request) or "it failed"
    if answer.success and answer.no_echo:
        content["NoEcho"] = True
    if answer.success and values:
        content["Data"] = values
    return _json(content)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _checked_id(text: str) -> str:
    if not isinstance(text, str) or not text.isprintable() or len(text.encode(errors="replace")) > 1024:
        raise ValueError("its PhysicalResourceId is not a text of at most 1024 bytes")
    return text


def _clean(reason: str, request: ResourceRequest) -> str:
    """A reason in one line without the address that answers go to, which is a secret."""
    url = request.response_url
    for secret in (url, url.partition("?")[2]):
        reason = reason.replace(secret, "…") if secret else reason
    text = "".join(char if char.isprintable() else " " for char in reason)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"


def _too_large(size: int, values: Mapping[str, Any]) -> str:
    sizes = sorted(((len(_json(value)), key) for key, value in values.items()), reverse=True)[:_SHOWN_KEYS]
    largest = ", ".join(f"{key[:60]} ({count} bytes)" for count, key in sizes)
    return (
        f"the answer has {size} bytes, and CloudFormation takes {MAX_BYTES}; the largest values are {largest}; "
        "leave some out, with Excludes where the resource has it"
    )


def flat(values: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, str | list[str]]]:
    """Values as texts and lists of texts under dotted names; None is left out. Raises ValueError naming what is neither."""
    if not isinstance(values, Mapping):
        raise ValueError(f"expected values by name, got {type(values).__name__}")
    if depth > _DEEPEST or len(values) > _MOST_KEYS:
        raise ValueError("its values are too many, or too deep")
    for key, value in values.items():
        name = f"{before}{key}"
        if value is None:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.", depth + 1)
        elif isinstance(value, list | tuple | set | frozenset):
            items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
            if any(isinstance(each, Mapping | list | tuple) for each in items):
                yield from flat(dict(enumerate(items)), f"{name}.", depth + 1)  # type: ignore[arg-type]
            else:
                yield name, [_text(name, each) for each in items if each is not None]
        else:
            yield name, _text(name, value)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and isfinite(value):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | Decimal):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"{name[:60]}: a {type(value).__name__} is no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name[:60]}: it is not Unicode") from None
    return str(value)
