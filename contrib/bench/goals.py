"""A measured number beside the goal that was set for it."""

from dataclasses import dataclass

BYTES_PER_CONTAINER = 2048
"""What a manager may hold of memory for each container that it knows."""
LONGEST_STALL = 50
"""Milliseconds for which a step of the agent's may hold the event loop."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number; less is better."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    """None: for comparison only."""

    @property
    def met(self) -> bool:
        return self.goal is None or self.value <= self.goal

    def __str__(self) -> str:
        text = f"{self.what:<58} {self.value:9.4g} {self.unit}"
        if self.goal is None:
            return text
        return f"{text:<76} {self.value / self.goal:6.2f} of the goal, {self.goal:g} {self.unit}{'' if self.met else ': MISSED'}"
