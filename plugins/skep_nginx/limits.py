"""What sites have together, and what a single one therefore cannot have: the kind of a port, and the time that a request takes."""

from __future__ import annotations

from collections import Counter

from skep_nginx.hosts import REGEX_LENGTH
from skep_nginx.patterns import effort
from skep_nginx.rules import Rules
from skep_nginx.wishes import PATH_LENGTH, SiteWish

__all__ = ["Limits"]

_MOST = 2**22
"""Ways in which all regular expressions of hosts, or of the paths of one host, may be tried: those of one request, about 0.1 s."""


class Limits:
    """The oldest site is asked first, and what it has is no longer there for the others."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._kinds = {listen.port: "HTTP" for listen in rules.http} | {listen.port: "TLS" for listen in rules.https}
        self._patterns: set[tuple[str, str]] = set()
        self._efforts: Counter[str] = Counter()

    def refusal(self, site: SiteWish) -> str:
        """Why a site cannot be; "" where it can, which takes it into account."""
        return self._port(site) or self._effort(site)

    def _port(self, site: SiteWish) -> str:
        """A port is plain or speaks TLS: nginx cannot have one that is both."""
        https = site.https_port if self._rules.https else None
        for name, port, kind in (("EXTERNAL_HTTP_PORT", site.http_port, "HTTP"), ("EXTERNAL_HTTPS_PORT", https, "TLS")):
            if port is None:
                continue
            if not self._rules.may_listen(port):
                return f"{name} is {port}: the settings allow no such port (external_ports)"
            if self._kinds.setdefault(port, kind) != kind:
                return f"{name} is {port}: that port speaks {self._kinds[port]} already"
        return ""

    def _effort(self, site: SiteWish) -> str:
        wanted = {("", site.host[1:]): REGEX_LENGTH} if site.host.is_regex else {}
        wanted |= {(site.host, wish.path.text): PATH_LENGTH for wish in site.paths if wish.path.is_regex}
        for (of, text), longest in wanted.items():
            if (of, text) in self._patterns:
                continue
            cost = effort(text, longest)
            if self._efforts[of] + cost > _MOST:
                what = f"the paths of {of}" if of else "hosts"
                return f"its regular expression is one too many: those of {what} together would keep nginx busy with each request"
            self._efforts[of] += cost
            self._patterns.add((of, text))
        return ""
