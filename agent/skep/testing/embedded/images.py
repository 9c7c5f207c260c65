"""Images of one engine: tags, removal, views."""

from __future__ import annotations

import re
import time

from . import references
from .creation import find_image
from .defaults import CONFIG_DEFAULTS
from .errors import EngineError
from .state import Container, Image, Json, State
from .times import rfc3339

_REPOSITORY = re.compile(r"([a-zA-Z0-9.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")


def check_reference(repository: str, tag: str) -> str:
    """``repository:tag`` in its normal form. Raises EngineError 400."""
    if not _REPOSITORY.fullmatch(repository):
        lower = ": repository name must be lowercase" if repository != repository.lower() else ""
        raise EngineError(400, f"invalid reference format{lower}")
    if not _TAG.fullmatch(tag):
        raise EngineError(400, "invalid tag format")
    return references.normal(f"{repository}:{tag}")


def add(state: State, image: Image, *tags: str) -> Image:
    """Make an image known under these tags, taken from those that had them. One known before stays."""
    image = state.images.setdefault(image.id, image)
    for name in tags:
        _untag(state, name)
        image.tags.append(name)
    return image


def tag(state: State, source: str, name: str) -> None:
    """Give an image another name."""
    image = find_image(state, source)
    _untag(state, name)
    image.tags.append(name)
    state.events.emit("image", "tag", image.id, {**(image.config.get("Labels") or {}), "name": name})


def _untag(state: State, name: str) -> None:
    for image in state.images.values():
        if name in image.tags:
            image.tags.remove(name)


def remove(state: State, name: str, *, force: bool) -> list[dict[str, str]]:
    """Untag, and delete when no tag is left. Raises EngineError: 404, or 409 when containers use it."""
    image = find_image(state, name)
    by_tag = references.normal(name) in image.tags
    users = [container for container in state.containers.values() if container.image_id == image.id]
    if by_tag and len(image.tags) > 1:
        return [_untagged(state, image, references.normal(name))]
    _refuse_in_use(image, name, users, force=force, by_tag=by_tag)
    report = [_untagged(state, image, each) for each in list(image.tags)]
    if not users:
        del state.images[image.id]
        state.events.emit("image", "delete", image.id, {"name": image.id})
        report.append({"Deleted": image.id})
    return report


def _untagged(state: State, image: Image, name: str) -> dict[str, str]:
    image.tags.remove(name)
    state.events.emit("image", "untag", image.id, {"name": image.id})
    return {"Untagged": name}


def _refuse_in_use(image: Image, name: str, users: list[Container], *, force: bool, by_tag: bool) -> None:
    short = image.id[7:19]
    running = [container for container in users if container.running]
    if by_tag and users and not force:
        why = f"container {users[0].id[:12]} is using its referenced image {short}"
        raise EngineError(409, f'conflict: unable to remove repository reference "{name}" (must force) - {why}')
    if by_tag:
        return
    if running:
        why = f"image is being used by running container {running[0].id[:12]}"
        raise EngineError(409, f"conflict: unable to delete {short} (cannot be forced) - {why}")
    if users and not force:
        why = f"image is being used by stopped container {users[0].id[:12]}"
        raise EngineError(409, f"conflict: unable to delete {short} (must be forced) - {why}")
    if len(image.tags) > 1 and not force:
        why = "image is referenced in multiple repositories"
        raise EngineError(409, f"conflict: unable to delete {short} (must be forced) - {why}")


def row(image: Image, version: tuple[int, int], containers: int = -1) -> Json:
    """One row of `GET /images/json`."""
    found: Json = {
        "Containers": containers,
        "Created": image.created // 1_000_000_000,
        "Id": image.id,
        "Labels": image.config.get("Labels"),
        "ParentId": image.parent,
        "RepoDigests": image.digests or None,
        "RepoTags": image.tags or ["<none>:<none>"],
        "SharedSize": -1,
        "Size": image.size,
    }
    return found if version >= (1, 44) else {**found, "VirtualSize": image.size}


def inspection(image: Image, version: tuple[int, int]) -> Json:
    """`GET /images/{name}/json`."""
    found: Json = {
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": image.parent,
        "Comment": image.comment,
        "Created": rfc3339(image.created),
        "DockerVersion": "",
        "Author": "",
        "Config": image.config if version >= (1, 50) else CONFIG_DEFAULTS | image.config,
        "Architecture": "amd64",
        "Os": "linux",
        "Size": image.size,
        "GraphDriver": {"Data": {}, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": [references.image_id(f"layer of {image.id}")]},
        "Metadata": {"LastTagTime": rfc3339(image.created)},
    }
    if version < (1, 45):
        found |= {"Container": "", "ContainerConfig": CONFIG_DEFAULTS}
    return found if version >= (1, 44) else {**found, "VirtualSize": image.size}


def history(state: State, image: Image) -> list[Json]:
    """`GET /images/{name}/history`: one layer per image down to the base."""
    rows: list[Json] = []
    step: Image | None = image
    while step is not None:
        rows.append(
            {
                "Comment": step.comment,
                "Created": step.created // 1_000_000_000,
                "CreatedBy": " ".join(step.config.get("Cmd") or []),
                "Id": step.id,
                "Size": step.size if not step.parent else 0,
                "Tags": step.tags or None,
            }
        )
        step = state.images.get(step.parent)
    return rows


def committed(state: State, base: Image, config: Json, comment: str, seed: str) -> Image:
    """A new image on top of another."""
    id_ = references.image_id(f"{seed} {time.time_ns()}")
    return add(state, Image(id_, [], config, time.time_ns(), base.size, parent=base.id, comment=comment))
