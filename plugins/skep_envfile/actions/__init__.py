"""What happens when an env file has changed."""

from __future__ import annotations

from skep_envfile.actions.actions import Actions, ActionStatus
from skep_envfile.actions.settings import FILE_LABEL, ActionSettings

__all__ = ["FILE_LABEL", "ActionSettings", "ActionStatus", "Actions"]
