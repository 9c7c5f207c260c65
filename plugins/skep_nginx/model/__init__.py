"""What nginx is to do, as types. Nothing else can be said: there is no field for a directive or for a piece of configuration.

Values get in here parsed (`wishes`, `reach`), and out by the one serializer (`render`). The same value is the same text, so that
what did not change is not written again.
"""

from skep_nginx.model.addresses import Listen, Server, join
from skep_nginx.model.hosts import Host
from skep_nginx.model.locations import ROOT, BasicAuth, Location, Match, Path, Protocol
from skep_nginx.model.sites import Answer, Proxy, Redirect, ServerTokens, Site
from skep_nginx.model.tls import POLICIES, Certificate, ClientCertificates, Tls, Verification
from skep_nginx.model.upstreams import Balance, BalanceMethod, Upstream

__all__ = [
    "POLICIES",
    "ROOT",
    "Answer",
    "Balance",
    "BalanceMethod",
    "BasicAuth",
    "Certificate",
    "ClientCertificates",
    "Host",
    "Listen",
    "Location",
    "Match",
    "Path",
    "Protocol",
    "Proxy",
    "Redirect",
    "Server",
    "ServerTokens",
    "Site",
    "Tls",
    "Upstream",
    "Verification",
    "join",
]
