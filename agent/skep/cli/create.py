"""`skep create`: a token for a new cluster."""

from __future__ import annotations

import click

from skep.cli.client import START, AgentClient
from skep.cli.options import wait_option
from skep.errors import NotFoundError, TemporaryError

__all__ = ["create"]


@click.command()
@click.option(
    "--service", "url", default="", metavar="URL", envvar="SKEP_DISCOVERY_SERVICE",
    help="The discovery service to ask, http://host:port; otherwise the running agent.",
)  # fmt: skip
@click.option("--agent", "-A", "agent", default="", metavar="URL", help="Where the agent listens (SKEP_AGENT).")
@wait_option("for the service to come up")
def create(url: str, agent: str, wait: float) -> None:
    """Make a cluster at a discovery service, and print its token."""
    start = "start one: skep discovery-service" if url and not agent else START
    place, path = (agent, "/v1") if agent else _split(url)
    try:
        token = (
            AgentClient(place, start=start).post_when_up(f"{path}/clusters", wait).decode("ascii", "replace").strip()
        )
    except NotFoundError:
        raise TemporaryError(
            "the agent keeps no tokens: enable its plugin discovery, or start skep discovery-service"
        ) from None
    if not (token.replace("-", "").replace("_", "").isalnum() and len(token) <= 128):
        raise TemporaryError("the service's answer is not a token; is that a discovery service?")
    click.echo(token)


def _split(url: str) -> tuple[str, str]:
    """A service's URL as its server and its path, which is /v1 where none is given."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "unix":
        return url, "/v1"
    host, _, path = rest.partition("/")
    path = path.rstrip("/")
    return f"{scheme}://{host}", f"/{path}" if path else "/v1"
