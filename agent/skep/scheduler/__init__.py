"""Where containers go, and why."""

from skep.scheduler.decision import Decision
from skep.scheduler.decisions import Decisions
from skep.scheduler.engine_body import engine_body
from skep.scheduler.entries import EntryLabel
from skep.scheduler.placement import FilterVerdict, NodeExplanation, Placement, PlacementError
from skep.scheduler.query import PlacementQuery, Scores, Verdict
from skep.scheduler.request import PlacementRequest
from skep.scheduler.room import Room, RoomSettings
from skep.scheduler.scheduler import Reservation, Rule, Scheduler
from skep.scheduler.scoring import Mark

__all__ = [
    "Decision",
    "Decisions",
    "EntryLabel",
    "FilterVerdict",
    "Mark",
    "NodeExplanation",
    "Placement",
    "PlacementError",
    "PlacementQuery",
    "PlacementRequest",
    "Reservation",
    "Room",
    "RoomSettings",
    "Rule",
    "Scheduler",
    "Scores",
    "Verdict",
    "engine_body",
]
