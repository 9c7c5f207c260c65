"""The Engine API's paths, by subject."""

from __future__ import annotations

from ..routing import Routes
from . import containers, system

ROUTES = Routes()
for _subject in (containers, system):
    ROUTES.include(_subject.routes)
