"""Which images may be used, and which registries asked."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from skep_policy.case import Case, Finding, Findings

__all__ = ["check_image", "check_pull", "pinned", "whole_name"]

_ID = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}", re.ASCII)
_REFERENCE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?::[0-9]+)?(?:/[a-z0-9][a-z0-9._-]*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*", re.ASCII)
_QUERY = frozenset(("fromImage", "fromSrc", "repo", "tag", "message", "changes", "platform"))


def whole_name(image: str) -> str:
    """An image's name with registry, folder and tag: `redis` is `docker.io/library/redis:latest`."""
    first, slash, rest = image.partition("/")
    # as engines read it: what has a capital letter is a registry's name, too
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, rest = "docker.io", image if slash else f"library/{image}"
    if first == "index.docker.io":
        first = "docker.io"
    if "@" not in rest and ":" not in rest.rpartition("/")[2]:
        rest += ":latest"
    return f"{first}/{rest}"


def pinned(image: str) -> str:
    """The name so that no engine takes it for the beginning of an image's id: with its tag."""
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def check_image(case: Case, image: str, where: str) -> Findings:
    """An image that a container is made of."""
    if case.rule.images and not any(fnmatchcase(whole_name(image), pattern) for pattern in case.rule.images):
        name = whole_name(image) if _REFERENCE.fullmatch(image) else image
        yield Finding(f"{where}: the image {name[:200]} is none of {', '.join(case.rule.images)}", None)
    elif case.rule.images and _ID.fullmatch(image) and image.startswith("sha256:"):
        yield Finding(f"{where}: an image's id says nothing of where it is from: name it", None)
    elif image and not _REFERENCE.fullmatch(image):
        yield Finding(f"{where}: {image[:200]!r} is no image's name")


def check_pull(case: Case) -> Findings:
    """`POST /images/create`: from a registry, or from the request itself; never from where the client says."""
    query = case.query
    for name in sorted(set(query) - _QUERY):
        yield Finding(f"the parameter {name[:60]} is none that a policy knows")
    for name, values in query.items():
        if len(values) > 1 and name != "changes":
            yield Finding(f"the parameter {name} comes {len(values)} times")
    for source in query.get("fromSrc", ()):
        if source and source != "-":
            yield Finding("fromSrc: engines fetch nothing from addresses that clients give")
    for image in query.get("fromImage", ()):
        tag = query.get("tag", ("",))[0]
        reference = image + (f"@{tag}" if ":" in tag else f":{tag}" if tag else "")
        yield from check_image(case, reference, "fromImage")
        if not case.rule.images:
            yield from check_registry(reference, "fromImage")


def check_registry(image: str, where: str) -> Findings:
    """That no address inside is asked: only names, and not this machine's."""
    host = whole_name(image).partition("/")[0].rpartition(":")[0] or whole_name(image).partition("/")[0]
    if not _NAME.fullmatch(host) or host == "localhost" or host.endswith(".localhost"):
        yield Finding(
            f"{where}: the registry {host[:100]} is an address, or this machine: allow it by images",
            grant=("images", f"{whole_name(image).partition('/')[0]}/*"),
        )
