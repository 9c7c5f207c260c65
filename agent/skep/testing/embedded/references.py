"""Image references and the catalogue of images that an embedded engine begins with."""

from __future__ import annotations

import hashlib
from typing import Any

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CATALOGUE: dict[str, dict[str, Any]] = {
    "busybox": {"Cmd": ["sh"]},
    "counter": {"Cmd": ["counter"], "ExposedPorts": {"80/tcp": {}}},
    "nginx": {
        "Cmd": ["nginx", "-g", "daemon off;"],
        "Entrypoint": ["/docker-entrypoint.sh"],
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGQUIT",
    },
    "postgres": {
        "Cmd": ["postgres"],
        "Entrypoint": ["docker-entrypoint.sh"],
        "ExposedPorts": {"5432/tcp": {}},
    },
    "redis": {
        "Cmd": ["redis-server"],
        "Entrypoint": ["docker-entrypoint.sh"],
        "ExposedPorts": {"6379/tcp": {}},
        "WorkingDir": "/data",
    },
}
"""Configuration of the known images, by the last part of their name."""


def normal(reference: str) -> str:
    """A reference as tags are listed: ``docker.io/library/`` removed, ``:latest`` added."""
    name = reference.removeprefix("docker.io/").removeprefix("index.docker.io/").removeprefix("library/")
    if "@" in name or ":" in name.rpartition("/")[2]:
        return name
    return f"{name}:latest"


def repository(reference: str) -> str:
    """A reference without its tag or digest."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]


def tag(reference: str) -> str:
    """A reference's tag, ``latest`` when it has none."""
    return normal(reference).rpartition("/")[2].partition(":")[2]


def catalogue_config(reference: str) -> dict[str, Any]:
    """The configuration that an image of this name has: known ones their own, others `sh`."""
    last = repository(reference).rpartition("/")[2]
    return {"Env": [PATH], **CATALOGUE.get(last, {"Cmd": ["sh"]})}


def image_id(seed: str) -> str:
    """An image id: the same on every engine for the same image."""
    return "sha256:" + hashlib.sha256(f"skep embedded image {seed}".encode()).hexdigest()
