"""What stands around `http { }`, where nginx is ours."""

from __future__ import annotations

from pathlib import Path

from skep_nginx.directives import Block, Directive, Line
from skep_nginx.render.style import Style

__all__ = ["frame", "temporary_paths"]

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def frame(http: tuple[Directive, ...], style: Style, prefix: Path) -> tuple[Directive, ...]:
    """A whole configuration around what stands inside of `http { }`."""
    return (
        Line("daemon", ("off",)),
        Line("worker_processes", (str(style.workers or "auto"),)),
        Line("worker_shutdown_timeout", (f"{style.shutdown_timeout}s",)),
        Line("pid", (str(prefix / "nginx.pid"),)),
        Line("error_log", ("stderr", "warn")),
        Block("events", (), (Line("worker_connections", (str(style.worker_connections),)),)),
        *((Line("include", (style.top_include,)),) if style.top_include else ()),
        Block("http", (), (*temporary_paths(f"{prefix}/"), *http)),
    )


def temporary_paths(before: str) -> tuple[Line, ...]:
    """Where nginx keeps large bodies: folders whose paths begin with `before`."""
    return tuple(Line(f"{kind}_temp_path", (before + kind,)) for kind in _TEMPORARY)
