"""The agent: one process of ours, or a part of another one."""

from skep.agent.agent import Agent
from skep.agent.create import Created

__all__ = ["Agent", "Created"]
