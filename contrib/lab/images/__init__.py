"""Images without a registry: file systems put together from what this machine has installed.

`build` makes the tar of one; `docker import` (or the lab) makes it an image.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from contrib.lab.errors import LabError
from contrib.lab.images import databases, python, servers
from contrib.lab.images.tree import Tree

Recipe = Callable[[Tree], tuple[str, ...]]
"""Fills a tree, and returns the image's settings as Dockerfile instructions."""

_RECIPES: dict[str, Recipe] = {
    "busybox": servers.busybox,
    "nginx": servers.nginx,
    "redis": databases.redis,
    "postgres": databases.postgres,
    "python": python.python,
    "counter": python.counter,
    "skep": python.skep,
    "nginx-proxy": python.nginx_proxy,
}
NAMES = tuple(_RECIPES)
"""The images that there are; each is tagged latest."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image ready for import."""

    name: str
    tar: Path
    changes: tuple[str, ...]


def known_images(names: Collection[str]) -> None:
    """Check the names of images; raises LabError, naming those that there are, when one is unknown."""
    if unknown := [name for name in names if name not in _RECIPES]:
        raise LabError(f"no image {unknown[0]!r}; there are {', '.join(NAMES)}")


def build(name: str, directory: Path) -> Image:
    """Build the image `name` as a tar in `directory`, unless it is there already.

    Raises LabError when there is no such image or this machine lacks something that belongs into it.
    """
    known_images([name])
    tar, settings = directory / f"{name}.tar", directory / f"{name}.changes"
    if not settings.exists():
        directory.mkdir(parents=True, exist_ok=True)
        new = directory / f"{name}.{os.getpid()}.new"
        with Tree(new) as tree:
            changes = _RECIPES[name](tree)
        new.replace(tar)
        settings.write_text("\n".join(changes))
    return Image(name, tar, tuple(settings.read_text().splitlines()))
