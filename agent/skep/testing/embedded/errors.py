"""What the embedded engine refuses, in the words and with the status of a real one."""

from __future__ import annotations


class EngineError(Exception):
    """Answered to the client as `status` with the body ``{"message": …}``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def no_such_container(name: str) -> EngineError:
    """404, as for every path that names a container."""
    return EngineError(404, f"No such container: {name}")


def not_running(container_id: str) -> EngineError:
    """409: the call needs a running container."""
    return EngineError(409, f"Container {container_id} is not running")
