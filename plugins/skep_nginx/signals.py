"""What ends a container: its stop signal, as engines write it. Source: the Engine API, `StopSignal` and the event `kill`."""

from __future__ import annotations

import signal

from skep import Container, EngineEvent

__all__ = ["is_end"]

_RTMIN = 34  # as engines number it, whatever this system's C library keeps for itself
_ROUNDED = 1e-5  # seconds; times since 1970 are kept no finer than a microsecond


def is_end(event: EngineEvent, container: Container) -> bool:
    """Whether this event is that a container, in the run that is known of it, was sent the signal that stops it, or SIGTERM or SIGKILL."""
    if event.type != "container" or event.action != "kill":
        return False
    if (
        event.time_nano < (container.started_at - _ROUNDED) * 1e9
    ):  # it has ended, and runs again, before anybody heard of that
        return False
    number = _number(event.attributes.get("signal", ""))
    return number in (_number(container.stop_signal) or signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)


def _number(text: str) -> int:
    """`15`, `TERM`, `SIGTERM`, `RTMIN+3` as a number; 0 for what is none."""
    name = text.strip().upper()
    if name.isascii() and name.isdigit():
        return int(name[:3])
    name = name.removeprefix("SIG")
    if name.startswith("RTMIN"):
        offset = name.removeprefix("RTMIN").removeprefix("+")
        return _RTMIN + int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 3 else _RTMIN
    found = getattr(signal.Signals, f"SIG{name}", None)
    return int(found) if found is not None else 0
