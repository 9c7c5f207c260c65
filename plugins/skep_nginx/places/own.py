"""The container that this very process runs in, if it does: what it shares a network with, nginx reaches."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from skep import Cluster, Container
from skep_nginx.closed import published_ports
from skep_nginx.reach import View

__all__ = ["OwnContainer", "view_from"]

_ID = re.compile(r"/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)$")
_TARGETS = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


class OwnContainer:
    """Its id is found where its engine mounted files into it; mounts of other containers, which a host shows too, are elsewhere."""

    def __init__(self, mounts: Path = Path("/proc/self/mountinfo")) -> None:
        self._mounts = mounts
        self._id: str | None = None

    def find(self, cluster: Callable[[], Cluster]) -> Container | None:
        """This process's container; None where it runs in none, or in one of an engine that is not watched."""
        if self._id is None:
            self._id = self._read()
        if not self._id:
            return None
        found = (node.containers.get(self._id) for node in cluster().state.nodes)
        return next((container for container in found if container is not None), None)

    def _read(self) -> str:
        try:
            lines = self._mounts.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        for line in lines:  # Source: proc(5), mountinfo: the fourth word is the root within its file system, the fifth where it is mounted
            words = line.split(" ")
            found = _ID.search(words[3]) if len(words) > 4 and words[4] in _TARGETS else None
            if found:
                return found[1]
        return ""


def view_from(container: Container, host_address: str) -> View:
    """What nginx reaches in a container: the networks that it is on, and what hosts publish."""
    networks = None
    if container.network_mode != "host":
        networks = frozenset(end.network_id for end in container.networks if end.network_id)
    gateway = next((end.gateway for end in container.networks if end.gateway), "")
    return View(
        container.node, networks, gateway, direct=True, host_address=host_address, own=published_ports(container)
    )
