"""The certificates that a name may mean, of ACM and of IAM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .calls import Calls
from .der import dns_names
from .errors import AwsError
from .texts import scalars

__all__ = ["Certificate", "of_acm", "of_iam"]

_ALGORITHMS = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"]
_STATUSES = ["ISSUED", "PENDING_VALIDATION", "EXPIRED"]
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Certificate:
    """One that is for the name. `is_exact`: not by a wildcard."""

    arn: str
    source: str
    domain: str
    names: tuple[str, ...]
    status: str
    not_after: datetime
    is_exact: bool
    not_before: datetime | None = None
    algorithm: str = ""
    id: str = ""
    in_use: bool | None = None
    original: Mapping[str, str | list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.arn} ({self.source}, {self.domain}{f', {self.algorithm}' if self.algorithm else ''})"


def _match(name: str, names: Iterable[str]) -> bool | None:
    """Whether one of the names is the very name; None where none is for it. A wildcard is for exactly one label (RFC 6125, 6.4.3)."""
    known = {each.lower().removesuffix(".") for each in names}
    if name in known:
        return True
    label, _, rest = name.partition(".")
    return False if label and rest and f"*.{rest}" in known else None


async def of_acm(name: str, call: Calls) -> list[Certificate]:
    """Those of ACM, which lists only RSA ones unless asked for more."""
    pages = call.pages(
        "acm",
        "ListCertificates",
        "CertificateSummaryList",
        CertificateStatuses=_STATUSES,
        Includes={"keyTypes": _ALGORITHMS},
        MaxItems=1000,
    )
    summaries = [each async for each in pages]
    found = [await _acm(name, each, call) for each in summaries]
    return [each for each in found if each is not None]


async def _acm(name: str, item: dict[str, Any], call: Calls) -> Certificate | None:
    """A certificate of the list. It is asked for alone where the list does not tell all its names, or when it ends."""
    names = [item.get("DomainName", ""), *(item.get("SubjectAlternativeNameSummaries") or ())]
    is_exact = _match(name, names)
    tells_names = "SubjectAlternativeNameSummaries" in item and not item.get(
        "HasAdditionalSubjectAlternativeNames", False
    )
    if is_exact is None and tells_names:
        return None
    if not tells_names or ("NotAfter" not in item and item.get("Status") != "PENDING_VALIDATION"):
        try:
            item = (
                item | (await call("acm", "DescribeCertificate", CertificateArn=item["CertificateArn"]))["Certificate"]
            )
        except AwsError as error:
            if error.code == "ResourceNotFoundException":  # deleted since it was listed
                return None
            raise
        names = [item.get("DomainName", ""), *(item.get("SubjectAlternativeNames") or ())]
        is_exact = _match(name, names)
    if is_exact is None:
        return None
    in_use = item["InUse"] if "InUse" in item else bool(item["InUseBy"]) if "InUseBy" in item else None
    return Certificate(
        arn=item["CertificateArn"],
        source="acm",
        domain=names[0],
        names=tuple(dict.fromkeys(names)),
        status=item.get("Status", "ISSUED"),
        not_after=item.get("NotAfter", _NEVER),
        not_before=item.get("NotBefore"),
        is_exact=is_exact,
        algorithm=item.get("KeyAlgorithm", "").replace("-", "_"),
        in_use=in_use,
    )


async def of_iam(name: str, call: Calls) -> list[Certificate]:
    """Those of IAM: of that very name; if there are none, those for that domain, which IAM tells only one by one."""
    pages = call.pages(
        "iam",
        "ListServerCertificates",
        "ServerCertificateMetadataList",
        by=("Marker", "Marker"),
        MaxItems=1000,
    )
    items = [each async for each in pages]
    named = [each for each in items if each["ServerCertificateName"].lower() == name]
    if named:
        return [_iam(each, (each["ServerCertificateName"],), is_exact=True) for each in named]
    found = []
    for each in items if "." in name else ():
        answer = await call("iam", "GetServerCertificate", ServerCertificateName=each["ServerCertificateName"])
        names = tuple(dns_names(answer["ServerCertificate"].get("CertificateBody", "")))
        is_exact = _match(name, names)
        if is_exact is not None:
            found.append(_iam(each, names, is_exact=is_exact))
    return found


def _iam(item: dict[str, Any], names: tuple[str, ...], *, is_exact: bool) -> Certificate:
    return Certificate(
        arn=item["Arn"],
        source="iam",
        domain=names[0],
        names=names,
        status="ISSUED",
        not_after=item.get("Expiration", _NEVER),
        is_exact=is_exact,
        id=item["ServerCertificateId"],
        original=scalars(item),
    )
