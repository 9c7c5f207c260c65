"""For which names certificates are wanted: what containers ask, read with care, and made few orders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skep_nginx.acme.settings import is_email

__all__ = ["Ask", "Order", "Plan", "parse_name", "plan", "read_ask"]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_NAMES = ("LETSENCRYPT_HOST", "ACME_HOST")
_EMAIL_NAMES = ("LETSENCRYPT_EMAIL", "ACME_EMAIL")
_LONGEST = 8192
_MOST = 100  # names of a certificate. Source: Let's Encrypt's rate limits


@dataclass(frozen=True, slots=True)
class Ask:
    """What one container asks for. `text` is its variable, or None where the host needs no asking. `owned` are the hosts that it serves."""

    container: str
    text: str | None
    email: str
    owned: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Order:
    """One certificate: its names, sorted, and an address to reach somebody at, or ""."""

    names: tuple[str, ...]
    email: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The certificates that are wanted, and why a container does not get what it asks for."""

    orders: tuple[Order, ...] = ()
    refused: Mapping[str, str] | None = None


def read_ask(container: str, environment: Mapping[str, str], owned: Iterable[str]) -> Ask | None:
    """The variables of acme-companion and their newer names; None where a container asks for nothing."""
    text = next((environment[name] for name in _HOST_NAMES if environment.get(name, "").strip()), None)
    email = next((environment[name].strip() for name in _EMAIL_NAMES if environment.get(name)), "")
    return Ask(container, text, email if is_email(email) else "", tuple(owned)) if text is not None else None


def plan(asks: Iterable[Ask]) -> Plan:
    """One order for each set of names; a set that another one holds needs none. A name is ordered only for a container that serves it."""
    wanted: dict[tuple[str, ...], str] = {}
    refused: dict[str, str] = {}
    for ask in sorted(asks, key=lambda each: (each.container, each.owned)):
        try:
            names = _names(ask)
        except ValueError as error:
            refused[ask.container] = str(error)
            continue
        if ask.text is None:
            wanted.update(((name,), wanted.get((name,)) or ask.email) for name in names)
        elif names:
            wanted[names] = wanted.get(names) or ask.email
    sets = {names: frozenset(names) for names in wanted}
    kept = [names for names in sets if not any(sets[names] < other for other in sets.values())]
    return Plan(tuple(Order(names, wanted[names]) for names in sorted(kept)), refused)


def _names(ask: Ask) -> tuple[str, ...]:
    if ask.text is None:
        return tuple(sorted({str(host) for host in ask.owned if _may_have(host)}))
    if len(ask.text) > _LONGEST:
        raise ValueError(f"LETSENCRYPT_HOST has {len(ask.text)} characters: at most {_LONGEST} are taken")
    names = sorted({parse_name(item) for item in ask.text.split(",") if item.strip()})
    if len(names) > _MOST:
        raise ValueError(f"LETSENCRYPT_HOST has {len(names)} names: at most {_MOST} are taken")
    for name in names:
        if not any(_covers(host, name) for host in ask.owned):
            raise ValueError(
                f"LETSENCRYPT_HOST has {name!r}, which this container does not serve by plain HTTP: name it in VIRTUAL_HOST too"
            )
    return tuple(names)


def parse_name(text: str) -> str:
    """A name that HTTP-01 can prove, lower-case. Raises ValueError saying why it is none."""
    name = text.strip(" \t").lower()
    shown = ascii(name if len(name) <= 60 else name[:57] + "...")
    if "*" in name:
        raise ValueError(
            f"LETSENCRYPT_HOST has {shown}: a wildcard is proved by DNS only, which skep does not do; "
            "list the names, or put a certificate into the folder of certificates"
        )
    labels = name.split(".")
    if not name.isascii() or len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"LETSENCRYPT_HOST has {shown}: expected a name such as www.example.com")
    if len(labels) < 2 or labels[-1].isdigit():
        raise ValueError(f"LETSENCRYPT_HOST has {shown}: authorities certify full names such as www.example.com only")
    return name


def _may_have(host: str) -> bool:
    try:
        return parse_name(host) == host
    except ValueError:
        return False


def _covers(host: str, name: str) -> bool:
    """Whether a site's name answers for `name`: as such, or as `*.` or `.*`. A regular expression is not asked: it may say anything."""
    if host.startswith("*."):
        return name.endswith(host[1:]) and len(name) > len(host) - 1
    if host.endswith(".*"):
        return name.startswith(host[:-1])
    return host == name
