"""`skep create`: a token for a new cluster."""

from __future__ import annotations

import click

from skep.cli.client import AgentClient
from skep.errors import NotFoundError, TemporaryError

__all__ = ["create"]


@click.command()
@click.option(
    "--service", "url", default="", metavar="URL", envvar="SKEP_DISCOVERY_SERVICE",
    help="The discovery service to ask, http://host:port; otherwise the running agent.",
)  # fmt: skip
@click.option("--agent", "-A", "agent", default="", metavar="URL", help="Where the agent listens (SKEP_AGENT).")
def create(url: str, agent: str) -> None:
    """Make a cluster at a discovery service, and print its token."""
    client = AgentClient(agent or url)
    try:
        token = client.post("/v1/clusters").decode("ascii", "replace").strip()
    except NotFoundError:
        raise TemporaryError(
            "the agent keeps no tokens: enable its plugin discovery, or start skep discovery-service"
        ) from None
    if not (token.replace("-", "").replace("_", "").isalnum() and len(token) <= 128):
        raise TemporaryError("the service's answer is not a token; is that a discovery service?")
    click.echo(token)
