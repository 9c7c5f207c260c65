"""Keeps one engine's known state true, and tells the differences."""

from skep.watch.transitions import transitions

__all__ = ["transitions"]
