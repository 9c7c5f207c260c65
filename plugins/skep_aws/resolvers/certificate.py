"""`certificate`: a certificate of ACM or IAM, by the domain that it is for, or by its name."""

from __future__ import annotations

from datetime import UTC, datetime

from .calls import Calls, Values, together
from .certificates import Certificate, of_acm, of_iam
from .errors import AMBIGUOUS, NOT_FOUND, NOT_READY, Unresolved
from .properties import Properties
from .source import Source
from .texts import commas, text

__all__ = ["CERTIFICATE"]


async def _resolve(asked: Properties, call: Calls) -> Values:
    name = asked.text("CertificateName").lower().removesuffix(".")
    source = asked.choice("Source", ("any", "acm", "iam"), "any")
    algorithm = asked.text("KeyAlgorithm").replace("-", "_")
    asking = [each for kind, each in (("acm", of_acm), ("iam", of_iam)) if source in ("any", kind)]
    found = [one for each in await together(*(each(name, call) for each in asking)) for one in each]
    if algorithm:
        found = [each for each in found if each.algorithm.replace("-", "_") == algorithm]
    chosen = _best(name, found, most_recent=asked.flag("MostRecent", default=False))
    days = (chosen.not_after - datetime.now(UTC)).days
    if days < asked.number("MinDaysLeft"):
        raise Unresolved(NOT_FOUND, f"{chosen} expires in {days} days, on {text(chosen.not_after)}")
    return _values(chosen, days if "DaysLeft" in asked.list("Attributes") else None)


def _best(name: str, found: list[Certificate], *, most_recent: bool) -> Certificate:
    """An exact name before a wildcard, then the one that is valid for the longest time."""
    now = datetime.now(UTC)
    usable = [each for each in found if each.status == "ISSUED" and each.not_after > now]
    if not usable:
        if pending := [each for each in found if each.status == "PENDING_VALIDATION"]:
            raise Unresolved(NOT_READY, f"certificate {name} is not validated yet: {', '.join(map(str, pending))}")
        expired = [f"{each} expired on {text(each.not_after)}" for each in found if each.not_after <= now]
        raise Unresolved(NOT_FOUND, f"there is no valid certificate {name}" + "".join(f"; {each}" for each in expired))
    exact = [each for each in usable if each.is_exact] or usable
    latest = max(each.not_after for each in exact)
    best = sorted((each for each in exact if each.not_after == latest), key=lambda each: each.arn)
    if len(best) > 1 and not most_recent:
        listed = [str(each) for each in best]
        raise Unresolved(
            AMBIGUOUS,
            f"{len(best)} certificates are for {name}; say Source or KeyAlgorithm, or MostRecent for any: {', '.join(listed)}",
            listed,
        )
    return best[0]


def _values(chosen: Certificate, days: int | None) -> Values:
    values: dict[str, str | list[str]] = dict(chosen.original)
    values |= {
        "Arn": chosen.arn,
        "CertificateId": chosen.arn.rpartition("/")[2] if chosen.source == "acm" else chosen.id,
        "DomainName": chosen.domain,
        "SubjectAlternativeNames": commas(chosen.names),
        "NotAfter": text(chosen.not_after),
        "Status": chosen.status,
        "Source": chosen.source,
    }
    if chosen.not_before is not None:
        values["NotBefore"] = text(chosen.not_before)
    if chosen.algorithm:
        values["KeyAlgorithm"] = chosen.algorithm
    if chosen.in_use is not None:
        values["InUse"] = text(chosen.in_use)
    if days is not None:
        values["DaysLeft"] = text(days)
    return Values(values)


CERTIFICATE = Source(
    resolve=_resolve,
    help="A certificate of ACM or IAM, by the domain that it is for, or by its name in IAM.",
    properties={
        "CertificateName": "A domain; a certificate for *.example.com is for www.example.com. In IAM a certificate's name too.",
        "Source": "acm, iam, or any (unless said).",
        "KeyAlgorithm": "RSA_2048, EC_prime256v1, ….",
        "MinDaysLeft": "How many days it must be valid for at least.",
        "MostRecent": "true: any of several that are valid equally long.",
    },
    required=("CertificateName",),
    attributes={
        "Arn": "Its ARN, as load balancers want it. CloudFront takes those of Region us-east-1.",
        "CertificateId": "Its id.",
        "DomainName": "Its first domain.",
        "SubjectAlternativeNames": "All its domains, with commas between.",
        "NotBefore": "From when it is valid; Expiration and UploadDate too, in IAM.",
        "NotAfter": "Until when.",
        "DaysLeft": "For how many days; only where Attributes names it, as it changes every day.",
        "Status": "ISSUED.",
        "KeyAlgorithm": "RSA_2048, …; ACM's only.",
        "Source": "acm or iam.",
        "InUse": "Whether something has it; ACM's only.",
        "*": "What IAM tells of it: Path, ServerCertificateName, ServerCertificateId, ….",
    },
    actions={
        "acm:ListCertificates": "*",
        "acm:DescribeCertificate": "arn:aws:acm:*:*:certificate/*",
        "iam:ListServerCertificates": "*",
        "iam:GetServerCertificate": "arn:aws:iam::*:server-certificate/*",
    },
)
