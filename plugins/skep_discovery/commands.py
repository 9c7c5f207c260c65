"""`skep discovery-service`: the token service alone, without an agent."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import click

from skep import HttpServer, ServerTLS, error_middleware, run_service

__all__ = ["discovery_service", "hints"]


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

    def announce(server: HttpServer) -> None:
        for url in server.urls:
            click.echo(f"discovery service at {url}")
        for line in hints(server.urls, secure=tls is not None):
            click.echo(line)

    run_service(opened, started=announce)


def hints(urls: Sequence[str], *, secure: bool) -> Iterator[str]:
    """What to type next: a service that says http or https itself is believed, where an address alone is not."""
    place = next((url.removeprefix("tcp://") for url in urls if url.startswith("tcp://")), "HOST:PORT")
    host, _, port = place.rpartition(":")
    if host in ("0.0.0.0", "[::]"):
        place = f"{socket.gethostname()}:{port}"  # every address of this machine is none to call it by
    yield f"try:  export SKEP_DISCOVERY_SERVICE={'https' if secure else 'http'}://{place}"
    yield "      token=$(skep create)"
    yield "      skep join --advertise HOST:2375 token://$token"
