"""Who is behind a host, and why somebody is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from skep import ClusterState
from skep_nginx.collect import Backend
from skep_nginx.status import left_out, paths_of

if TYPE_CHECKING:
    from skep_nginx.work import Work

__all__ = ["explain", "site_of"]


def explain(host: str, work: Work, state: ClusterState) -> dict[str, Any]:
    """As JSON shows it: the site that answers for `host`, and each container that names it with its address and paths, or with what keeps it out."""
    wanted = host.lower().rstrip(".")
    live = work.applier.backends
    site = site_of(wanted, {str(each) for backend in live for each in backend.hosts})
    names = {wanted, site} - {""}
    live_servers = {backend.id: backend.servers for backend in live}
    rows = [
        _row(backend, names, is_live=live_servers.get(backend.id) == backend.servers)
        for backend in (*work.picture.backends, *work.picture.idle)
        if backend not in work.applier.refused and not names.isdisjoint(backend.hosts)
    ]
    out = [*_left_out(names, work, state)]
    reached = {row["id"] for row in out if row["by"] == "reach"}
    rows = [row for row in rows if row["id"] not in reached or row["address"]]
    return {
        "host": host,
        "site": site,
        "answered": bool(site) and any(row["address"] for row in rows),
        "containers": rows + out,
    }


def _row(backend: Backend, names: Collection[str], *, is_live: bool) -> dict[str, Any]:
    why = backend.why
    if not why and not is_live:
        why = "nginx has not taken this change yet"
    addresses = ", ".join(str(server) for _, server in backend.servers)
    return {
        "container": backend.name,
        "id": backend.id[:12],
        "node": backend.node,
        "address": addresses,
        "paths": [path for host in backend.hosts if host in names for path in paths_of(backend, host)],
        "by": "",
        "reason": why,
    }


def _left_out(names: Iterable[str], work: Work, state: ClusterState) -> Iterator[dict[str, Any]]:
    """Those whose variables or labels speak of the host, whatever is wrong with them."""
    for rejection in left_out(work.picture, work.applier):
        node = state.get_node(rejection.node)
        container = node.containers.get(rejection.id) if node else None
        said = "" if container is None else "\n".join(e for e in container.env if e.startswith("VIRTUAL_HOST")).lower()
        if any(name in said for name in names):
            yield {
                "container": rejection.name,
                "id": rejection.id[:12],
                "node": rejection.node,
                "address": "",
                "paths": [],
                "by": rejection.by,
                "reason": rejection.reason,
            }


def site_of(host: str, sites: Iterable[str]) -> str:
    """Which of these names nginx serves a host by, "" for none: its own, else the longest `*.name`, else the longest `name.*`.

    Regular expressions come last in nginx, too; they are nginx's own to match, so they are passed over here.
    """
    known = set(sites)
    if host in known:
        return host
    parts = host.split(".")
    before = (f"*.{'.'.join(parts[n:])}" for n in range(1, len(parts)))
    after = (f"{'.'.join(parts[:n])}.*" for n in range(len(parts) - 1, 0, -1))
    return next((name for name in (*before, *after) if name in known), "")
