"""nginx-proxy's own environment variables, as settings: for an agent that runs in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from skep import SettingsError, read_small_file
from skep_nginx.settings import NginxSettings
from skep_nginx.values import parse_bool, parse_choice, parse_port
from skep_nginx.wishes.tls import NON_GET, parse_hsts, parse_policy

__all__ = ["FOLDERS", "nginx_table"]

T = TypeVar("T")
RESOLV = Path("/etc/resolv.conf")
FOLDERS = {
    "vhost_files": "/etc/nginx/vhost.d",
    "password_files": "/etc/nginx/htpasswd",
    "include": "/etc/nginx/conf.d/*.conf",
    "include_top": "/etc/nginx/toplevel.conf.d/*.conf",
}
"""Where nginx-proxy looks for the operator's files."""
_CERTIFICATES = "/etc/nginx/certs"
_PROXY = "/etc/nginx/proxy.conf"
_CHALLENGES = "/usr/share/nginx/html"  # where acme-companion puts them


class _Reader:
    """Reads variables, and collects all that is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.errors: list[str] = []

    def read(self, name: str, parse: Callable[[str, str], T | None], otherwise: T) -> T:
        """The variable's value, or else the other one."""
        try:
            value = parse(name, self._environment.get(name, ""))
        except ValueError as error:
            self.errors.append(str(error))
            return otherwise
        return otherwise if value is None else value

    def flag(self, name: str, *, default: bool) -> bool:
        """A truth value."""
        return self.read(name, parse_bool, default)

    def text(self, name: str, otherwise: str = "") -> str:
        """A text, as it is."""
        return self._environment.get(name, "").strip() or otherwise


def nginx_table(environment: Mapping[str, str], resolv: Path = RESOLV) -> dict[str, Any]:
    """The table `[plugins.nginx]` that nginx-proxy's variables mean, with its defaults. Raises SettingsError, naming each that is wrong."""
    reader = _Reader(environment)
    # A container has ports of its own, so its sites may use those that nobody else does.
    ipv6 = reader.flag("ENABLE_IPV6", default=False)
    table: dict[str, Any] = {
        **FOLDERS,
        "listen": _listen(reader.read("HTTP_PORT", parse_port, 80), ipv6=ipv6),
        "external_ports": ["1-65535"],
        "default_host": reader.text("DEFAULT_HOST"),
        "default_root": reader.text("DEFAULT_ROOT", "404"),
        # Behind nobody, clients would say what they like of themselves; nginx-proxy has it so, and warns.
        "trust_forwarded": reader.flag("TRUST_DOWNSTREAM_PROXY", default=True),
        "proxy_protocol": reader.flag("ENABLE_PROXY_PROTOCOL", default=False),
        "prefer_ipv6": reader.flag("PREFER_IPV6_NETWORK", default=False),
        "hashed_names": reader.flag("SHA1_UPSTREAM_NAME", default=False),
        "debug": reader.flag("DEBUG_ENDPOINT", default=False),
        "access_log": "" if reader.flag("DISABLE_ACCESS_LOGS", default=False) else "/dev/stdout",
        "log_format": reader.text("LOG_FORMAT"),
        "log_escape": reader.text("LOG_FORMAT_ESCAPE"),
        "log_json": reader.flag("LOG_JSON", default=False),
        "resolvers": reader.text("RESOLVERS").split() or _name_servers(resolv),
        "filters": [entry.strip() for entry in reader.text("DOCKER_CONTAINER_FILTERS").split(",") if entry.strip()],
        "include_proxy": _PROXY if Path(_PROXY).exists() else "",
        "tls": _tls(reader, ipv6=ipv6),
        "acme": {"folder": _CHALLENGES},
    }
    if label := reader.text("NGINX_CONTAINER_LABEL"):
        table |= {"mode": "container", "container": {"label": label}}
    try:
        msgspec.convert(table, NginxSettings)
    except msgspec.ValidationError as error:
        reader.errors.append(str(error))
    if reader.errors:
        raise SettingsError("environment: " + "; ".join(reader.errors))
    return table


def _tls(reader: _Reader, *, ipv6: bool) -> dict[str, Any]:
    return {
        "listen": _listen(reader.read("HTTPS_PORT", parse_port, 443), ipv6=ipv6),
        "certificates": _CERTIFICATES,
        "method": reader.text("HTTPS_METHOD", "redirect"),
        "non_get_redirect": int(reader.read("NON_GET_REDIRECT", _one_of(*map(str, NON_GET)), "301")),
        "hsts": reader.read("HSTS", parse_hsts, "max-age=31536000") or "off",
        "policy": reader.read("SSL_POLICY", parse_policy, "Mozilla-Intermediate"),
        "dhparam": _dhparam(reader),
        "trust_default": reader.flag("TRUST_DEFAULT_CERT", default=True),
        "http_without_certificate": reader.flag("ENABLE_HTTP_ON_MISSING_CERT", default=True),
        "http2": reader.flag("ENABLE_HTTP2", default=True),
        "http3": reader.flag("ENABLE_HTTP3", default=False),
        "challenges": _challenges(reader),
        "challenges_unknown_host": reader.flag("ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST", default=False),
    }


def _dhparam(reader: _Reader) -> int:
    skip = reader.flag("DHPARAM_SKIP", default=False) or not reader.flag("DHPARAM_GENERATION", default=True)
    return 0 if skip else int(reader.read("DHPARAM_BITS", _one_of("2048", "3072", "4096"), "4096"))


def _challenges(reader: _Reader) -> str:
    if reader.text("ACME_HTTP_CHALLENGE_LOCATION") == "legacy":
        return "legacy"
    return "true" if reader.flag("ACME_HTTP_CHALLENGE_LOCATION", default=True) else "false"


def _one_of(*choices: str) -> Callable[[str, str], str | None]:
    return lambda name, text: parse_choice(name, text, choices)


def _listen(port: int, *, ipv6: bool) -> list[str]:
    return [f"0.0.0.0:{port}", *([f"[::]:{port}"] if ipv6 else [])]


def _name_servers(resolv: Path) -> list[str]:
    """Those that the machine uses; addresses of one link only, with a zone, mean nothing to nginx."""
    try:
        lines = read_small_file(resolv, 65536).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = [
        words[1]
        for words in map(str.split, lines)
        if len(words) > 1 and words[0] == "nameserver" and "%" not in words[1]
    ]
    return [f"[{address}]" if ":" in address else address for address in found]
