"""What an operator asks: is it live, what is served, what is left out and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skep import Metric
from skep_nginx.apply import Applier
from skep_nginx.collect import Backend, Picture, Rejection

if TYPE_CHECKING:
    from skep_nginx.work import Work

__all__ = ["describe", "left_out", "paths_of", "samples"]


def left_out(picture: Picture, applier: Applier) -> list[Rejection]:
    """All containers that ask for hosts and are left out."""
    refused = (Rejection(b.id, b.name, b.node, "nginx", reason) for b, reason in applier.refused.items())
    return sorted((*picture.rejections, *refused), key=lambda each: (each.node, each.name, each.id))


def describe(work: Work, mode: str) -> dict[str, Any]:
    """The status as JSON shows it."""
    live = work.applier.live
    return {
        "mode": mode,
        "state": "failing" if work.error else "live" if live else "starting",
        "error": work.error,
        "generation": live.generation if live else "",
        "sites": _sites(work.applier.backends),
        "left_out": [
            {"container": r.name, "id": r.id[:12], "node": r.node, "by": r.by, "reason": r.reason}
            for r in left_out(work.picture, work.applier)
        ],
        "notes": [
            {"container": n.name, "id": n.id[:12], "node": n.node, "reason": n.reason}
            for n in work.applier.builder.notes
        ],
        "certificates": work.certificates.status(),
        "counts": {**vars(work.applier.counts), "starts": _starts(work)},
    }


def _starts(work: Work) -> int:
    return getattr(work.place, "starts", 0)


def paths_of(backend: Backend, host: str) -> list[str]:
    """The paths of a site that a container asks for, as nginx writes them."""
    return [str(each.path) for site in backend.wish.sites if site.host == host for each in site.paths]


def _sites(backends: Iterable[Backend]) -> dict[str, list[dict[str, Any]]]:
    sites: dict[str, list[dict[str, Any]]] = {}
    for backend in backends:
        entry = {"container": backend.name, "node": backend.node, "address": str(backend.server or "")}
        if not backend.server:
            entry["why"] = backend.why
        for host in backend.hosts:
            sites.setdefault(host, []).append({**entry, "paths": paths_of(backend, host)})
    return dict(sorted(sites.items()))


def samples(work: Work) -> Iterable[Metric]:
    """The same for /metrics."""
    applier = work.applier
    counts = applier.counts
    yield Metric("skep_nginx_reloads_total", counts.reloads, "Configurations that nginx was told to take.", "counter")
    yield Metric("skep_nginx_renders_total", counts.renders, "Configurations that were written.", "counter")
    yield Metric("skep_nginx_tests_total", counts.tests, "Configurations that nginx was asked to test.", "counter")
    yield Metric("skep_nginx_failures_total", counts.failures, "Times that a change did not get live.", "counter")
    yield Metric(
        "skep_nginx_rollbacks_total", counts.rollbacks, "Times that the last good one was put back.", "counter"
    )
    yield Metric("skep_nginx_starts_total", _starts(work), "Times that nginx was started.", "counter")
    is_live = applier.live is not None and not work.error
    yield Metric("skep_nginx_live", float(is_live), "Whether the last change is live.")
    hosts = {host for backend in applier.backends for host in backend.hosts}
    yield Metric("skep_nginx_sites", len(hosts), "Hosts that nginx knows.")
    yield Metric(
        "skep_nginx_servers", sum(b.server is not None for b in applier.backends), "Containers that get requests."
    )
    rejections = left_out(work.picture, applier)
    for by in ("value", "reach", "owner", "nginx"):
        count = sum(rejection.by == by for rejection in rejections)
        yield Metric("skep_nginx_left_out", count, "Containers left out, by reason.", labels=(("by", by),))
    yield from work.certificates.metrics()
