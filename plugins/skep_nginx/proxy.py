"""`skep nginx proxy`: an agent and its nginx by nginx-proxy's environment variables, as the image of contrib/docker starts it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skep import SettingsError
from skep_nginx.environment import nginx_table

__all__ = ["run", "settings_table"]

_SOCKET = "unix:///tmp/docker.sock"
_CONTROL = "unix:///run/skep.sock"


def run(control: str) -> None:
    """Run until stopped, by this process's environment. `control` is where the agent answers; "" is its usual socket."""
    from skep import Agent, parse_settings, run_service

    agent = Agent(parse_settings(settings_table(os.environ, control)))
    level = os.environ.get("SKEP_LOG_LEVEL", "info")
    run_service(lambda: agent, wait=lambda agent: agent.wait(), log_level=level)


def settings_table(environ: Mapping[str, str], control: str = "") -> dict[str, Any]:
    """The agent's settings. Raises SettingsError, naming the variable."""
    engines = [each.strip() for each in (environ.get("DOCKER_HOST") or _SOCKET).split(",") if each.strip()]
    for engine in engines:
        path = Path(engine.removeprefix("unix://"))
        if engine.startswith("unix://") and not path.is_socket():
            raise SettingsError(
                f"DOCKER_HOST is {engine}, and there is no socket: share the engine's with this container "
                f"(docker run -v /var/run/docker.sock:{path}), or name another endpoint (-e DOCKER_HOST=tcp://…)"
            )
    cluster: dict[str, Any] = {"engines": engines}
    if environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS"):
        folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        cluster["tls"] = {"verify": bool(environ.get("DOCKER_TLS_VERIFY"))}
        cluster["tls"] |= {key: str(folder / f"{key}.pem") for key in ("ca", "cert", "key")}
    # In a container, other containers' own addresses are reached by the networks that it shares with them, and only by those.
    plugin = {"mode": "process", "direct": False, **nginx_table(environ)}
    return {"cluster": cluster, "http": {"listen": [control or _CONTROL]}, "plugins": {"nginx": plugin}}
