"""The life of containers: created, started, paused, killed, gone, with an engine's events at each step."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from . import commands
from .errors import EngineError, not_running
from .networking import Networking
from .output import Output
from .programs import Process
from .state import Container, State

SIGNALS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "KILL": 9,
    "USR1": 10,
    "USR2": 12,
    "TERM": 15,
    "CONT": 18,
    "STOP": 19,
}
FATAL = {1, 2, 3, 6, 9, 15}
RESTART_DELAY = 0.1
EARLY_LIMIT = 64


class Lifecycle:
    """Moves containers from state to state. Everything happens at once, and tells what happened as events."""

    def __init__(self, state: State, networking: Networking) -> None:
        self._state = state
        self._networking = networking
        self._next_pid = 1000

    def start(self, container: Container) -> bool:
        """Run the container's command; False when it runs already.

        Raises EngineError when it is paused, a port is taken, or a network is missing.
        """
        if container.status == "paused":
            raise EngineError(409, "cannot start a paused container, try unpause instead")
        if container.running:
            return False
        container.error = ""
        try:
            self._networking.connect(container)
        except EngineError as error:
            container.error = error.message
            container.exit_code = 128 if not container.started else container.exit_code
            container.changed()
            raise
        self._mounts(container, "mount")
        container.status = "running"
        container.pid = self.pid()
        container.exit_code = 0
        container.oom_killed = container.stopped_by_hand = False
        container.started = time.time_ns()
        container.health = "starting" if self._checks_health(container) else ""
        container.changed()
        self._state.emit_container(container, "start")
        self._launch(container)
        return True

    def pid(self) -> int:
        """A number for the next process."""
        self._next_pid += 1
        return self._next_pid

    def _launch(self, container: Container) -> None:
        argv = container.argv
        if commands.name_of(argv) in commands.COMMANDS:
            tty = bool(container.config.get("Tty"))
            stdin = bool(container.config.get("OpenStdin"))
            container.process = Process(
                environment(container),
                lambda stream, data: self.write(container, stream, data),
                lambda code: self.died(container, code),
                tty=tty,
                stdin=stdin,
            )
            container.process.start(commands.program(container.process, argv))
            for data in container.early_input:
                self.feed(container, data)
        container.early_input.clear()

    def feed(self, container: Container, data: bytes) -> None:
        """Standard input for the main process (``b""``: its end); kept until it starts."""
        if container.process is not None:
            if data:
                container.process.feed(data)
            else:
                container.process.eof()
        elif not container.running and len(container.early_input) < EARLY_LIMIT:
            container.early_input.append(data)

    def write(self, container: Container, stream: int, data: bytes) -> None:
        """The container wrote something."""
        self.output(container).write(stream, data)

    def output(self, container: Container) -> Output:
        """What the container writes; made when first asked for."""
        if container.output is None:
            container.output = Output()
        return container.output

    def died(self, container: Container, code: int, *, oom: bool = False, restart: bool = True) -> None:
        """The main process ended: `die`, then what the restart policy or AutoRemove asks for."""
        if container.process is not None:
            container.process.stop()
            container.process = None
        container.status = "exited"
        container.exit_code = code
        container.pid = 0
        container.oom_killed = oom
        container.finished = time.time_ns()
        again = restart and self._restarts(container, code)
        if again:
            container.status = "restarting"
        container.changed()
        self._end_execs(container)
        if oom:
            self._state.emit_container(container, "oom")
        self._state.emit_container(container, "die", exitCode=str(code))
        self._networking.disconnect(container)
        self._mounts(container, "unmount")
        if container.output is not None:
            container.output.end()
        _answer(container.exit_waiters, code)
        if again:
            delay = RESTART_DELAY * 2 ** min(container.restarts, 9)
            container.restart_timer = asyncio.get_running_loop().call_later(delay, self._restart_by_policy, container)
        elif restart and container.host.get("AutoRemove"):
            self.destroy(container)

    def kill(self, container: Container, signal: str = "KILL") -> None:
        """Send a signal; the fatal ones end the process."""
        number = signal_number(signal)
        if not container.running:
            where = f"Cannot kill container: {container.name}"
            raise EngineError(409, f"{where}: Container {container.id} is not running")
        if container.status == "restarting":
            self._give_up(container)
        elif number in FATAL and (number == 9 or not commands.ignores_sigterm(container.argv)):
            container.stopped_by_hand = True
            self._state.emit_container(container, "kill", signal=str(number))
            self.died(container, 137 if number == 9 else 0)
        else:
            self._state.emit_container(container, "kill", signal=str(number))

    def stop(self, container: Container, *, restart: bool = True) -> bool:
        """SIGTERM; what does not handle it is killed, without waiting for the grace period to pass.

        False when the container does not run.
        """
        if not container.running:
            return False
        if container.status == "restarting":
            self._give_up(container)
            return True
        container.stopped_by_hand = True
        self._state.emit_container(container, "kill", signal="15")
        code = 0
        if commands.ignores_sigterm(container.argv):
            self._state.emit_container(container, "kill", signal="9")
            code = 137
        remove = bool(container.host.get("AutoRemove")) and restart
        self.died(container, code, restart=False)
        self._state.emit_container(container, "stop")
        if remove:
            self.destroy(container)
        return True

    def _give_up(self, container: Container) -> None:
        """Do not restart what waits for its restart."""
        self._cancel_restart(container)
        container.stopped_by_hand = True
        container.status = "exited"
        container.changed()

    def restart(self, container: Container) -> None:
        """Stop when running, then start."""
        self.stop(container, restart=False)
        self.start(container)
        self._state.emit_container(container, "restart")

    def pause(self, container: Container) -> None:
        """Freeze the processes."""
        if container.status == "paused":
            raise EngineError(409, f"Container {container.id} is already paused")
        if not container.running:
            raise not_running(container.id)
        if container.status == "restarting":
            why = "is restarting, wait until the container is running"
            raise EngineError(409, f"Container {container.id} {why}")
        container.status = "paused"
        self._set_paused(container, "pause")

    def unpause(self, container: Container) -> None:
        """Let them go on."""
        if container.status != "paused":
            raise EngineError(500, f"Container {container.id} is not paused")
        container.status = "running"
        self._set_paused(container, "unpause")

    def _set_paused(self, container: Container, action: str) -> None:
        if container.process is not None:
            getattr(container.process, action)()
        container.changed()
        self._state.emit_container(container, action)

    def rename(self, container: Container, name: str) -> None:
        """Give another name, which must be free."""
        old = container.name
        try:
            self._state.claim_name(name, container.id)
        except EngineError as error:
            raise EngineError(error.status, f"Error when allocating new name: {error.message}") from None
        del self._state.names[old]
        container.name = name
        container.changed()
        self._state.emit_container(container, "rename", oldName=f"/{old}")

    def set_health(self, container: Container, health: str) -> None:
        """What a health check found: ``starting``, ``healthy`` or ``unhealthy``."""
        container.health = health
        container.changed()
        self._state.emit_container(container, f"health_status: {health}")

    def remove(self, container: Container, *, force: bool = False, volumes: bool = False) -> None:
        """Remove; a running container only with `force`, which kills it."""
        if container.running and not force:
            what = f"You cannot remove a {container.status} container {container.id}."
            hint = "Unpause and then stop" if container.status == "paused" else "Stop"
            raise EngineError(409, f"{what} {hint} the container before attempting removal or force remove")
        if container.status == "restarting":
            self._give_up(container)
        elif container.running:
            self._state.emit_container(container, "kill", signal="9")
            self.died(container, 137, restart=False)
        self.destroy(container, volumes=volumes)

    def destroy(self, container: Container, *, volumes: bool = True) -> None:
        """Forget a container that does not run, and its anonymous volumes when asked."""
        if self._state.containers.pop(container.id, None) is None:
            return
        self._state.names.pop(container.name, None)
        for exec_id in container.execs:
            self._state.execs.pop(exec_id, None)
        for mount in container.mounts if volumes else ():
            self._drop_anonymous(mount)
        self._unlink(container)
        self._state.emit_container(container, "destroy")
        _answer(container.removal_waiters, container.exit_code)
        _answer(container.exit_waiters, container.exit_code)

    def _drop_anonymous(self, mount: dict[str, Any]) -> None:
        name = mount.get("Name", "")
        unused = mount.get("Anonymous") and not self._state.users_of_volume(name)
        if unused and self._state.volumes.pop(name, None):
            self._state.events.emit("volume", "destroy", name, {"driver": "local"})

    def _unlink(self, container: Container) -> None:
        links = self._state.links
        links.pop(container.id, None)
        for target in list(links) if container.host.get("Links") else ():
            links[target] = [pair for pair in links[target] if pair[0] is not container]

    def shut_down(self, container: Container) -> None:
        """The engine stops: running containers end; whether they come back is up to their restart policy."""
        if container.status == "restarting":
            self._cancel_restart(container)
            container.status = "exited"
        elif container.running:
            self.died(container, 137 if commands.ignores_sigterm(container.argv) else 0, restart=False)
        container.changed()

    def freeze(self, container: Container) -> None:
        """Cancel all that would happen later: nothing of the container is left in the loop."""
        self._cancel_restart(container)
        if container.process is not None:
            container.process.stop()

    def come_up(self, container: Container) -> None:
        """The engine started again: start what its restart policy says."""
        policy = _policy(container)[0]
        if container.started and not container.running:
            if policy == "always" or (policy == "unless-stopped" and not container.stopped_by_hand):
                self._try_start(container)
            elif container.host.get("AutoRemove"):
                self.destroy(container)

    def _restarts(self, container: Container, code: int) -> bool:
        name, limit = _policy(container)
        if container.stopped_by_hand or container.host.get("AutoRemove"):
            return False
        if name == "on-failure":
            return code != 0 and (not limit or container.restarts < limit)
        return name in ("always", "unless-stopped")

    def _restart_by_policy(self, container: Container) -> None:
        container.restart_timer = None
        container.restarts += 1
        container.status = "exited"
        self._try_start(container)

    def _try_start(self, container: Container) -> None:
        """Start without a client: what stands against it is left in the container's `Error`."""
        with contextlib.suppress(EngineError):
            self.start(container)

    def _cancel_restart(self, container: Container) -> None:
        if container.restart_timer is not None:
            container.restart_timer.cancel()
            container.restart_timer = None

    def _checks_health(self, container: Container) -> bool:
        test = (container.config.get("Healthcheck") or {}).get("Test") or []
        return bool(test) and test[0] != "NONE"

    def _mounts(self, container: Container, action: str) -> None:
        for mount in container.mounts:
            if mount.get("Type") == "volume":
                extra = {
                    "destination": mount["Destination"],
                    "propagation": "",
                    "read/write": str(mount["RW"]).lower(),
                }
                attributes = {"container": container.id, "driver": "local"}
                self._state.events.emit(
                    "volume", action, mount["Name"], attributes | (extra if action == "mount" else {})
                )

    def _end_execs(self, container: Container) -> None:
        for exec_id in container.execs:
            run = self._state.execs.get(exec_id)
            if run is not None and run.running:
                if run.process is not None:
                    run.process.stop()
                run.running, run.exit_code = False, 137
                run.output.end()
        container.execs.clear()


def environment(container: Container) -> dict[str, str]:
    """The variables that the container's processes see."""
    given = dict(entry.split("=", 1) for entry in container.config.get("Env") or () if "=" in entry)
    return {"HOSTNAME": container.config.get("Hostname", ""), "HOME": "/root", **given}


def signal_number(signal: str) -> int:
    """``KILL``, ``SIGKILL`` or ``9`` as 9. Raises EngineError 400 for what is no signal."""
    name = signal.upper().removeprefix("SIG")
    number = int(name) if name.isdigit() else SIGNALS.get(name, 0)
    if not 0 < number < 65:
        raise EngineError(400, f"Invalid signal: {signal}")
    return number


def _policy(container: Container) -> tuple[str, int]:
    policy: dict[str, Any] = container.host.get("RestartPolicy") or {}
    return policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0


def _answer(waiters: list[asyncio.Future[int]], code: int) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(code)
    waiters.clear()
