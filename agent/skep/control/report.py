"""Plugins as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skep.agent import Agent

__all__ = ["plugin_rows"]


def plugin_rows(agent: Agent) -> list[dict[str, Any]]:
    """Each plugin of the settings: its name, its status (`running`, `broken`, `disabled`), why, and its counters."""
    rows = []
    for name, table in agent.settings.plugins.items():
        status = "running" if name in agent.plugins.plugins else "disabled" if not table.enabled else "broken"
        rows.append({"name": name, "status": status, "error": ""})
    return rows
