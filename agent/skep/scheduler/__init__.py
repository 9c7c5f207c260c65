"""Where containers go, and why."""

from skep.scheduler.placement import NodeExplanation, Placement, PlacementError
from skep.scheduler.query import PlacementQuery, Scores, Verdict
from skep.scheduler.request import PlacementRequest
from skep.scheduler.scheduler import Rule, Scheduler

__all__ = [
    "NodeExplanation",
    "Placement",
    "PlacementError",
    "PlacementQuery",
    "PlacementRequest",
    "Rule",
    "Scheduler",
    "Scores",
    "Verdict",
]
