"""Containers that share requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skep_nginx.model.addresses import Server

__all__ = ["Balance", "BalanceMethod", "Upstream"]

BalanceMethod = Literal["round_robin", "least_conn", "ip_hash", "random", "random_two", "hash", "hash_consistent"]


@dataclass(frozen=True, slots=True)
class Balance:
    """How requests are shared; `keys` are nginx's variables, from a fixed list, that `hash` goes by."""

    method: BalanceMethod = "round_robin"
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upstream:
    """Containers that share the requests of one location; at least one, sorted.

    `keepalive` is how many idle connections a worker keeps to them, 0 for none.
    """

    name: str
    servers: tuple[Server, ...]
    balance: Balance = Balance()
    keepalive: int = 0
