"""How containers share requests: the labels loadbalance and keepalive."""

from __future__ import annotations

import re

from skep_nginx.model import Balance, BalanceMethod
from skep_nginx.values import parse_number, wrong

__all__ = ["parse_balance", "parse_keepalive"]

_METHODS: dict[str, BalanceMethod] = {
    "round_robin": "round_robin",
    "least_conn": "least_conn",
    "ip_hash": "ip_hash",
    "random": "random",
    "random two": "random_two",
    "random two least_conn": "random_two",
}
_KEY = r"\$(?:remote_addr|binary_remote_addr|request_uri|uri|host|args|(?:cookie|http|arg)_[a-z0-9_]{1,64})"
_HASH = re.compile(rf"hash (?P<keys>(?:{_KEY}){{1,4}})(?P<consistent> consistent)?")
_MOST_KEPT = 1000


def parse_balance(name: str, text: str) -> Balance | None:
    """nginx's words for a method, with or without their `;`; None for "". Raises ValueError."""
    if len(text) > 400:
        raise wrong(name, text, "expected at most 400 characters")
    words = " ".join(text.strip().removesuffix(";").split(" ")).strip()
    if not words:
        return None
    if method := _METHODS.get(words):
        return Balance(method)
    if form := _HASH.fullmatch(words):
        keys = tuple(re.findall(_KEY, form["keys"]))
        return Balance("hash_consistent" if form["consistent"] else "hash", keys)
    raise wrong(
        name,
        text,
        "expected round_robin, least_conn, ip_hash, random, 'random two', or hash with a key, such as 'hash $remote_addr consistent'",
    )


def parse_keepalive(name: str, text: str) -> int | None:
    """`auto` is -1, `disabled` 0; None for "". Raises ValueError."""
    word = text.strip(" \t")
    if word in ("auto", "disabled"):
        return -1 if word == "auto" else 0
    if word and not word.isdigit():
        raise wrong(name, text, f"expected auto, disabled, or a number from 1 to {_MOST_KEPT}")
    return parse_number(name, text, 1, _MOST_KEPT, 16)
