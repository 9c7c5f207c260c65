"""Which versions of TLS are spoken, with which ciphers: by the names that Mozilla and AWS gave to such choices.

Sources: Mozilla's server side TLS guidelines, 5.7; AWS's tables of predefined security policies of its load balancers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["POLICY", "Policy", "laxest"]

_GCM = (
    *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
)
_CHACHA = ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305")
_DHE = ("DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305")
_MOZILLA_OLD = (
    *("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"),
    *("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA"),
    *("DHE-RSA-AES128-SHA256", "DHE-RSA-AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384"),
    *("AES128-SHA256", "AES256-SHA256", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA"),
)
_ECDHE_1 = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256")
_ECDHE_2 = ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256")
_ECDHE_SHA_1 = ("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA")
_ECDHE_3 = ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384")
_ECDHE_4 = ("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384")
_ECDHE_SHA_2 = ("ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA")
_RSA = ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256")
_RSA_SHA = ("AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA")
_FS = (*_ECDHE_1, *_ECDHE_2, *_ECDHE_3, *_ECDHE_4)
_FS_SHA = (*_ECDHE_1, *_ECDHE_2, *_ECDHE_SHA_1, *_ECDHE_3, *_ECDHE_4, *_ECDHE_SHA_2)
_ALL = (*_FS_SHA, *_RSA_SHA)
_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_SUITES_13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


@dataclass(frozen=True, slots=True)
class Policy:
    """Protocols, oldest first; ciphers of those before TLS 1.3; whose order counts; `suites` are TLS 1.3's, "" for OpenSSL's own."""

    protocols: tuple[str, ...]
    ciphers: tuple[str, ...] = ()
    server_order: bool = True
    suites: str = ""

    @property
    def is_old(self) -> bool:
        """Whether it speaks versions that OpenSSL has not spoken by itself since its version 3."""
        return self.protocols[0] in ("TLSv1", "TLSv1.1")

    @property
    def cipher_list(self) -> str:
        """As nginx has it."""
        return ":".join((*self.ciphers, *(("@SECLEVEL=0",) if self.is_old else ())))

    @property
    def too_low(self) -> str:
        """The newest version that must be turned away where the default server let it in; "" where no cipher fits it anyway.

        Before nginx 1.29.2 the version is settled by the default server of an address, before the client says for which host it comes.
        """
        lowest = _VERSIONS.index(self.protocols[0])
        fits = not self.ciphers or any(cipher.endswith("-SHA") for cipher in self.ciphers)
        return _VERSIONS[lowest - 1] if lowest and fits else ""


def _versions(first: str, last: str) -> tuple[str, ...]:
    return _VERSIONS[_VERSIONS.index(first) : _VERSIONS.index(last) + 1]


_1_0, _1_1, _1_2, _1_3 = _VERSIONS
_INTERMEDIATE = (*_GCM, *_CHACHA, *_DHE)
POLICY = {
    "Mozilla-Modern": Policy((_1_3,), server_order=False),
    "Mozilla-Intermediate": Policy(_versions(_1_2, _1_3), _INTERMEDIATE, server_order=False),
    "Mozilla-Old": Policy(_VERSIONS, (*_INTERMEDIATE, *_MOZILLA_OLD)),
    "AWS-TLS13-1-3-2021-06": Policy((_1_3,), suites=_SUITES_13),
    "AWS-TLS13-1-2-2021-06": Policy(_versions(_1_2, _1_3), _FS),
    "AWS-TLS13-1-2-Res-2021-06": Policy(_versions(_1_2, _1_3), (*_ECDHE_1, *_ECDHE_3)),
    "AWS-TLS13-1-2-Ext1-2021-06": Policy(_versions(_1_2, _1_3), (*_FS, *_RSA)),
    "AWS-TLS13-1-2-Ext2-2021-06": Policy(_versions(_1_2, _1_3), _ALL),
    "AWS-TLS13-1-1-2021-06": Policy(_versions(_1_1, _1_3), _ALL),
    "AWS-TLS13-1-0-2021-06": Policy(_VERSIONS, _ALL),
    "AWS-FS-1-2-Res-2020-10": Policy((_1_2,), (*_ECDHE_1, *_ECDHE_3)),
    "AWS-FS-1-2-Res-2019-08": Policy((_1_2,), _FS),
    "AWS-FS-1-2-2019-08": Policy((_1_2,), _FS_SHA),
    "AWS-FS-1-1-2019-08": Policy(_versions(_1_1, _1_2), _FS_SHA),
    "AWS-FS-2018-06": Policy(_versions(_1_0, _1_2), _FS_SHA),
    "AWS-TLS-1-2-Ext-2018-06": Policy((_1_2,), _ALL),
    "AWS-TLS-1-2-2017-01": Policy((_1_2,), (*_FS, *_RSA)),
    "AWS-TLS-1-1-2017-01": Policy(_versions(_1_1, _1_2), _ALL),
    "AWS-2016-08": Policy(_versions(_1_0, _1_2), _ALL),
    "AWS-2015-05": Policy(_versions(_1_0, _1_2), (*_ALL, "DES-CBC3-SHA")),
    "AWS-2015-03": Policy(_versions(_1_0, _1_2), (*_ALL, "DHE-RSA-AES128-SHA", "DES-CBC3-SHA")),
    "AWS-2015-02": Policy(_versions(_1_0, _1_2), (*_ALL, "DHE-RSA-AES128-SHA")),
}
"""All that there are, by name."""


def laxest(names: Iterable[str]) -> str:
    """The policy of a default server, which must let in whoever any of these lets in."""
    wanted = list(names)
    first = min((_VERSIONS.index(POLICY[name].protocols[0]) for name in wanted), default=2)
    last = max((_VERSIONS.index(POLICY[name].protocols[-1]) for name in wanted), default=3)
    for name in wanted:
        spoken = POLICY[name].protocols
        if (_VERSIONS.index(spoken[0]), _VERSIONS.index(spoken[-1])) == (first, last):
            return name
    return "Mozilla-Old" if first < 2 else "Mozilla-Intermediate"
