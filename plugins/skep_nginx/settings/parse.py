"""Settings that are more than a word or a number."""

from __future__ import annotations

import re

from skep_nginx.hosts import parse_host
from skep_nginx.model import Answer, Host

__all__ = ["parse_answer", "parse_filter", "parse_owner", "parse_ports", "parse_resolver"]

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_ANSWER = re.compile(r"([1-5][0-9]{2})(?: +(https?://\S{1,1000}|/\S{0,1000}|[^\s\"\\]{1,200}))?", re.ASCII)
_RESOLVER = re.compile(
    r"(?:[0-9A-Za-z.-]{1,253}|\[[0-9a-fA-F:]{2,45}\])(?::[0-9]{1,5})?|valid=[0-9]{1,9}[smhd]?|ipv[46]=(?:on|off)"
)
_FILTERS = ("label", "network", "name")


def parse_ports(texts: tuple[str, ...], name: str = "external_ports") -> tuple[tuple[int, int], ...]:
    """Ranges of ports, first and last. Raises ValueError."""
    found = []
    for text in texts:
        form = _RANGE.fullmatch(text)
        first, last = (int(form[1]), int(form[2] or form[1])) if form else (0, 0)
        if not 0 < first <= last < 65536:
            raise ValueError(f"{name}: {text!r} are no ports: expected for example '8080' or '8000-8999'")
        found.append((first, last))
    return tuple(found)


def parse_answer(text: str) -> Answer | None:
    """nginx's own answer; None for "none". Raises ValueError."""
    if text == "none":
        return None
    form = _ANSWER.fullmatch(text.strip())
    if form is None or not text.isascii():
        raise ValueError(
            f"default_root: {text!r} is no answer: expected for example '404', '301 https://example.com', 'none'"
        )
    return Answer(int(form[1]), form[2] or "")


def parse_owner(text: str) -> tuple[Host, str]:
    """A host and its owner. Raises ValueError."""
    host, equals, owner = text.partition("=")
    if not equals or not owner:
        raise ValueError(f"owners: {text!r}: expected 'HOST=OWNER'")
    return parse_host(host), owner


def parse_filter(text: str) -> tuple[str, str, str]:
    """What, of which name, with which value ("" is any). Raises ValueError."""
    kind, _, rest = text.partition("=")
    if kind not in _FILTERS or not rest:
        raise ValueError(f"filters: {text!r}: expected 'label=NAME', 'label=NAME=VALUE', 'network=NAME' or 'name=NAME'")
    name, _, value = rest.partition("=") if kind == "label" else (rest, "", "")
    return kind, name, value


def parse_resolver(text: str) -> str:
    """A name server, or a parameter of `resolver`. Raises ValueError."""
    if not _RESOLVER.fullmatch(text):
        raise ValueError(
            f"resolvers: {text!r}: expected an address such as '10.0.0.2' or '[fd00::2]:53', or 'valid=30s'"
        )
    return text
