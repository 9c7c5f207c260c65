"""Images that are made: what a build or a commit may ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skep import RequestError, strict_json
from skep_policy.case import Case, Finding, Findings
from skep_policy.networking import check_mode

__all__ = ["check_build", "check_commit", "check_entries", "check_image_made"]

_BUILD = frozenset(
    [
        "buildargs",
        "buildid",
        "cachefrom",
        "cpuperiod",
        "cpuquota",
        "cpusetcpus",
        "cpusetmems",
        "cpushares",
        "dockerfile",
        "extrahosts",
        "forcerm",
        "labels",
        "memory",
        "memswap",
        "networkmode",
        "nocache",
        "platform",
        "pull",
        "q",
        "rm",
        "shmsize",
        "squash",
        "t",
        "target",
        "ulimits",
        "version",
        "id",
    ]
)
_COMMIT = frozenset(["author", "changes", "comment", "container", "pause", "repo", "tag"])
_OWN = ("container", "image")


def check_build(case: Case) -> Findings:
    """`POST /build`: by the classic builder, of what is sent along, on a network of the clients'."""
    yield from _check_query(case, _BUILD, {"t", "remote", "cachefrom", "extrahosts"})
    if case.query.get("version", ("",))[0] not in ("", "1"):
        yield Finding(
            "version: BuildKit's builds are led through a session that nobody can look into; use DOCKER_BUILDKIT=0"
        )
    for mode in case.query.get("networkmode", ()):
        yield from check_mode(case, mode, "networkmode")
    arguments = _object(case, "buildargs")
    yield from check_entries(
        case, (f"{key}={value}" if value is not None else key for key, value in arguments.items()), "buildargs"
    )
    yield from case.labels(_object(case, "labels"), "labels")
    yield from check_image_made(case)


def check_commit(case: Case) -> Findings:
    """`POST /commit`."""
    yield from _check_query(case, _COMMIT, {"changes"})
    yield from case.labels(case.body.get("Labels"), "Labels")
    yield from check_image_made(case)


def check_image_made(case: Case) -> Findings:
    """Where only some images may be used, none may come up under a name of theirs; where only some nodes may, the choice is not the clients'."""
    if case.rule.images:
        yield Finding(
            f"{case.operation}: images that are made here could bear any name, and the rule allows only {', '.join(case.rule.images)}",
            None,
        )
    if case.rule.nodes and case.operation == "image.build":
        yield Finding(f"image.build: where it runs cannot be limited to {', '.join(case.rule.nodes)}", None)


def _check_query(case: Case, known: Iterable[str], several: set[str]) -> Findings:
    for name, values in list(case.query.items()):
        if name not in known and not any(values):  # docker sends what nobody asked for, empty
            del case.query[name]
        elif name not in known:
            yield Finding(f"the parameter {name[:60]} is not allowed")
        elif len(values) > 1 and name not in several:
            yield Finding(f"the parameter {name} comes {len(values)} times")


def _object(case: Case, name: str) -> dict[str, Any]:
    text = case.query.get(name, ("",))[0]
    found = strict_json(text.encode(), name) if text and text != "null" else {}
    if not all(isinstance(value, str | None) for value in found.values()):
        raise RequestError(f"invalid {name}: expected texts")
    return found


def check_entries(case: Case, env: Iterable[str], where: str) -> Findings:
    """Scheduling entries, which may name one's own containers alone; and values that are looked up, which are the rule's to give."""
    for entry in env:
        kind, colon, text = entry.partition(":")
        if colon and kind == "from" and not case.rule.looks_up(text):
            yield Finding(f"{where}: {entry[:100]} may not be looked up", None, ("lookups", text))
        if kind != "affinity" or not case.rule.owner:
            continue
        key, _, value = text.replace("!=", "==").partition("==")
        if key not in _OWN or (key == "container" and case.container(value.removeprefix("~")) is None):
            yield Finding(f"{where}: {entry[:100]}: an affinity may name your own containers, and images", None)
