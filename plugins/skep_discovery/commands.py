"""`skep discovery-service`: the token service alone, without an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from skep import HttpServer, ServerTLS, error_middleware, run_service

__all__ = ["discovery_service"]


@click.command("discovery-service")
@click.option("--listen", multiple=True, default=["tcp://127.0.0.1:7070"], show_default=True, help="Where; repeatable.")
@click.option("--state-file", type=click.Path(path_type=Path, dir_okay=False), help="Keep tokens over restarts here.")
@click.option("--tlscert", type=click.Path(path_type=Path), help="Certificate to show (PEM).")
@click.option("--tlskey", type=click.Path(path_type=Path), help="Its private key (PEM).")
@click.option("--tlscacert", type=click.Path(path_type=Path), help="Demand clients' certificates from this authority.")
@click.option("--allow-insecure", is_flag=True, help="Serve other machines without TLS.")
def discovery_service(
    listen: tuple[str, ...],
    state_file: Path | None,
    tlscert: Path | None,
    tlskey: Path | None,
    tlscacert: Path | None,
    allow_insecure: bool,
) -> None:
    """Keep the lists behind token:// discovery, as Docker's discovery service did."""
    if (tlscert is None) != (tlskey is None) or (tlscacert is not None and tlscert is None):
        raise click.UsageError("--tlscert and --tlskey go together, and --tlscacert needs them")
    from aiohttp import web

    from skep_discovery.clusters import Clusters
    from skep_discovery.service import TokenService

    tls = ServerTLS(tlscert, tlskey, tlscacert) if tlscert is not None and tlskey is not None else None

    @asynccontextmanager
    async def opened() -> AsyncIterator[HttpServer]:
        service = TokenService(Clusters(), state_file)
        await service.load()
        app = web.Application(middlewares=[error_middleware])
        service.add_routes(app.router)
        async with HttpServer(app, listen, tls=tls, allow_insecure=allow_insecure) as server:
            yield server

    run_service(opened, started=_announce)


def _announce(server: HttpServer) -> None:
    for url in server.urls:
        click.echo(f"discovery service at {url}")
    place = next((url.removeprefix("tcp://") for url in server.urls if url.startswith("tcp://")), "HOST:PORT")
    click.echo(f"try:  token=$(skep create --service {server.urls[0]})")
    click.echo(f"      skep join --advertise HOST:2375 token://{place}/v1/$token")
