"""The checks of `skep manage`: what Swarm's manager refuses, and what is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from skep.cli.options import key_values

__all__ = ["cluster_options", "refuse_missing", "tls_tables"]

_MOST_RETRIES = 100


def refuse_missing(given: Mapping[str, Any]) -> None:
    """Refuse flags that are wrong, or whose feature is not there. Raises UsageError."""
    if given["replication"]:
        raise click.UsageError(
            "--replication is not there yet: run one manager, and let systemd restart it; all placement state is in "
            "the containers' labels, so nothing is lost"
        )
    if given["cors"]:
        raise click.UsageError(
            "--api-enable-cors is not supported: a web page that reaches this API is root on every node"
        )
    if given["driver"] != "swarm":
        raise click.UsageError(f"unsupported cluster {given['driver']!r}; there is swarm")
    if given["heartbeat"] < 1:
        raise click.UsageError("--heartbeat should be at least one second")
    if given["engine_refresh_min_interval"] <= 0:
        raise click.UsageError("--engine-refresh-min-interval should be a positive number")
    if given["engine_refresh_max_interval"] < given["engine_refresh_min_interval"]:
        raise click.UsageError("--engine-refresh-max-interval cannot be less than --engine-refresh-min-interval")
    if given["engine_failure_retry"] <= 0:
        raise click.UsageError("--engine-failure-retry should be a positive number")


def cluster_options(entries: tuple[str, ...]) -> dict[str, Any]:
    """`--cluster-opt`, as keys of the cluster's table. Raises UsageError."""
    found: dict[str, Any] = {}
    for key, value in key_values("--cluster-opt", entries).items():
        try:
            number = float(value)
        except ValueError:
            raise click.UsageError(f"--cluster-opt {key}={value}: {value!r} is not a number") from None
        if key == "swarm.overcommit":
            if not -1 < number < float("inf"):
                raise click.UsageError(f"swarm.overcommit should be larger than -1, {value} is invalid")
            found["overcommit"] = number
        elif key == "swarm.createretry":
            if not number.is_integer() or not 0 <= number <= _MOST_RETRIES:
                raise click.UsageError(f"swarm.createretry should be 0 to {_MOST_RETRIES}, {value} is invalid")
            found["create_retries"] = int(number)
        else:
            raise click.UsageError(f"unknown --cluster-opt {key}; known are swarm.overcommit, swarm.createretry")
    return found


def tls_tables(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The TLS settings towards engines, and those of the endpoint; empty without TLS. Raises UsageError."""
    ca, cert, key = given["tlscacert"], given["tlscert"], given["tlskey"]
    if not (given["tls"] or given["tlsverify"]):
        if ca or cert or key:
            raise click.UsageError("--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify")
        return {}, {}
    if not (cert and key):
        raise click.UsageError("--tlscert and --tlskey must be provided when using --tls")
    if given["tlsverify"] and not ca:
        raise click.UsageError("--tlscacert must be provided when using --tlsverify")
    verify = bool(given["tlsverify"])
    engines = {"cert": cert, "key": key, "ca": ca, "verify": verify}
    return engines, {"cert": cert, "key": key, "ca": ca if verify else ""}
