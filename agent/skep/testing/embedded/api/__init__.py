"""The Engine API's paths, by subject."""

from __future__ import annotations

from skep.testing.embedded.routing import Routes

from . import attach, build, buildkit, containers, execs, images, logs, networks, observe, other, system, volumes

ROUTES = Routes()
for _subject in (containers, attach, execs, logs, observe, images, build, buildkit, networks, volumes, system, other):
    ROUTES.include(_subject.routes)
