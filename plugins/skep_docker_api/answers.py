"""Several nodes' answers as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from skep import EngineError, SkepError, error_status

__all__ = ["failure", "merged", "successes", "unique"]

T = TypeVar("T")


def successes(answers: Mapping[str, T | SkepError]) -> dict[str, T]:
    """The answers by node. Raises `failure` where a node had none."""
    errors = {node: answer for node, answer in answers.items() if isinstance(answer, SkepError)}
    if errors:
        raise failure(errors, several=len(answers) > 1)
    return {node: answer for node, answer in answers.items() if not isinstance(answer, SkepError)}


def failure(errors: Mapping[str, SkepError], *, several: bool = True) -> SkepError:
    """Errors of nodes as one, in lines of `node: error` where `several` nodes were asked; its status is the gravest."""
    if not several:
        return next(iter(errors.values()))
    text = "\n".join(f"{node}: {error}" for node, error in errors.items())
    return EngineError(max(map(error_status, errors.values())), text)


def merged(values: Iterable[Any]) -> Any:
    """JSON values of one shape as one: lists joined, numbers added, objects merged, of all others the first that is not null."""
    total: Any = None
    for value in values:
        total = _merge(total, value)
    return total


def _merge(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, list) and isinstance(other, list):
        return one + other
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _merge(one.get(key), other.get(key)) for key in {**one, **other}}
    if isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool):
        return one + other
    return one


def unique(values: Iterable[T]) -> list[T]:
    """Each value once, in the order of their first appearance; also of what cannot be hashed."""
    found: dict[str, T] = {}
    for value in values:
        found.setdefault(repr(value), value)
    return list(found.values())
