"""Images."""

from __future__ import annotations

from skep_docker_api.routing import Handler

__all__ = ["ROUTES"]

ROUTES: list[tuple[str, str, Handler]] = []
