"""The Engine API's paths, by subject."""

from __future__ import annotations

from skep.testing.embedded.routing import Routes

from . import attach, containers, execs, logs, observe, system

ROUTES = Routes()
for _subject in (containers, attach, execs, logs, observe, system):
    ROUTES.include(_subject.routes)
