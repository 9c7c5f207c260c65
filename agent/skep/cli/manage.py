"""`skep manage`: ready-made settings for one Docker API over many engines, with the flags of Swarm's manager."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from skep.cli.entry import installed
from skep.cli.manage_checks import cluster_options, refuse_missing, tls_tables
from skep.cli.options import Duration, discovery_argument, key_values

__all__ = ["manage", "manager_tables"]

FILTERS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist")
"""The filters that run by default, in their order."""

STRATEGIES = ("spread", "binpack", "random")
"""The strategies that Swarm's manager has."""

_ALSO = {"containerslots": "slots"}  # as Swarm's manager names it


def manager_tables(
    discovery: str,
    *,
    listen: tuple[str, ...],
    filters: tuple[str, ...] = FILTERS,
    strategy: str = "spread",
    more: tuple[str, ...] = (),
    cluster: Mapping[str, Any] | None = None,
    tls: Mapping[str, Any] | None = None,
    control: str = "",
) -> dict[str, Any]:
    """The settings of a manager, as tables. `cluster` are more keys of that table, `tls` is the endpoint's, `more` are other plugins."""
    endpoint: dict[str, Any] = {"listen": list(listen)}
    if tls:
        endpoint["tls"] = dict(tls)
    plugins: dict[str, Any] = {name: {} for name in (*filters, *more, strategy)}
    plugins |= {"discovery": {}, "docker_api": endpoint}
    tables: dict[str, Any] = {"cluster": {"discovery": discovery, **(cluster or {})}, "plugins": plugins}
    if control:
        tables["http"] = {"listen": [control]}
    return tables


@click.command()
@discovery_argument
@click.option("--strategy", default="spread", show_default=True, help="How nodes are ranked: spread, binpack, random.")
@click.option("--filter", "-f", "filters", multiple=True, metavar="NAME", help="Filter to run, in order; repeatable.")
@click.option(
    "--plugin", "more", multiple=True, metavar="NAME",
    help="Another plugin to run, after the filters, such as maintenance or topology; repeatable.",
)  # fmt: skip
@click.option(
    "--host", "-H", "hosts", multiple=True, metavar="URL",
    help="Where the API listens, tcp://host:port or unix:///path; repeatable. SWARM_HOST, else tcp://127.0.0.1:2375.",
)  # fmt: skip
@click.option("--control", default="", metavar="URL", help="Where skep nodes, ps and so on are answered.")
@click.option("--tls", is_flag=True, help="Serve TLS, and speak it to engines without checking their certificates.")
@click.option("--tlsverify", is_flag=True, help="Check certificates on both sides.")
@click.option("--tlscacert", default="", help="Authorities' certificates (PEM).")
@click.option("--tlscert", default="", help="Own certificate (PEM).")
@click.option("--tlskey", default="", help="Own private key (PEM).")
@click.option("--heartbeat", type=Duration(), default="60s", show_default=True, help="How often discovery is asked.")
@click.option(
    "--cluster-opt", multiple=True, metavar="KEY=VALUE", help="swarm.overcommit=0.05, swarm.createretry=0; repeatable."
)
@click.option("--discovery-opt", multiple=True, metavar="KEY=VALUE", help="Option of the discovery; repeatable.")
@click.option("--engine-refresh-min-interval", type=Duration(), default="30s", help="Only checked: see the maximum.")
@click.option("--engine-refresh-max-interval", type=Duration(), default="60s", help="How often engines are read anew.")
@click.option("--engine-failure-retry", type=int, default=3, help="Seconds without an answer: the node is unhealthy.")
@click.option("--advertise", "--addr", default="", envvar="SWARM_ADVERTISE", help="For --replication.")
@click.option("--replication", is_flag=True, help="Not there yet.")
@click.option("--replication-ttl", type=Duration(), default="20s", hidden=True)
@click.option("--api-enable-cors", "--cors", "cors", is_flag=True, hidden=True)
@click.option("--cluster-driver", "-c", "driver", default="swarm", hidden=True)
@click.option("--allow-insecure", is_flag=True, help="Serve other machines without TLS: whoever reaches it is root.")
def manage(discovery: str, **given: Any) -> None:
    """Serve one Docker API over all engines that DISCOVERY finds: token://…, file:///…, nodes://…"""
    from skep.cli.checks import check_tables
    from skep.cli.run import free_control, run_agent

    if not discovery:
        raise click.UsageError("discovery required to manage a cluster, such as nodes://10.0.0.[1:3]:2375")
    refuse_missing(given)
    names = set(installed())
    filters = tuple(_ALSO.get(each, each) for each in given["filters"]) or FILTERS
    wanted = [("strategy", given["strategy"]), *(("filter", each) for each in filters)]
    for kind, name in [*wanted, *(("plugin", each) for each in given["more"])]:
        if name not in names:
            known = {"strategy": STRATEGIES, "filter": FILTERS}.get(kind, tuple(sorted(names)))
            there = "installed plugins" if kind == "plugin" else "there"
            raise click.UsageError(f"{kind} {name!r} not supported; {there} are {', '.join(known)}")
    cluster_tls, endpoint_tls = tls_tables(given)
    cluster: dict[str, Any] = {
        "heartbeat": given["heartbeat"],
        "discovery_options": dict(key_values("--discovery-opt", given["discovery_opt"])),
        "resync_interval": given["engine_refresh_max_interval"],
        "ping_timeout": float(given["engine_failure_retry"]),
        **cluster_options(given["cluster_opt"]),
        **({"tls": cluster_tls} if cluster_tls else {}),
    }
    tables = manager_tables(
        discovery,
        listen=_hosts(given["hosts"]),
        filters=filters,
        strategy=given["strategy"],
        more=given["more"],
        cluster=cluster,
        tls=endpoint_tls,
        control=given["control"] or free_control(),
    )
    scheme = discovery.partition("://")[0]
    if scheme in names:
        tables["plugins"].setdefault(scheme, {})
    if given["control"] and endpoint_tls:
        tables["http"]["tls"] = endpoint_tls  # counts for tcp alone
    if given["allow_insecure"]:
        tables["plugins"]["docker_api"]["allow_insecure"] = tables["http"]["allow_insecure"] = True
    run_agent(check_tables(tables, "skep manage").right())


def _hosts(given: tuple[str, ...]) -> tuple[str, ...]:
    environment = tuple(filter(None, map(str.strip, os.environ.get("SWARM_HOST", "").split(","))))
    return given or environment or ("tcp://127.0.0.1:2375",)
