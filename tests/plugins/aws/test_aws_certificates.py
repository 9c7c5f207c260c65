"""Certificates of ACM and IAM, in the shapes of their own answers: dates, names, pages."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from skep import Agent, AmbiguousError, NotFoundError, NotReadyError
from skep_aws.resolvers.der import dns_names
from tests.plugins.aws.fake_aws import FakeAws, as_json, query, refused

DAY = 86400
NOW = time.time()


def acm(number: int, *names: str, days: float = 100, **more: Any) -> dict[str, Any]:
    return {
        "CertificateArn": f"arn:aws:acm:eu-west-1:1:certificate/{number}",
        "DomainName": names[0],
        "SubjectAlternativeNameSummaries": list(names),
        "HasAdditionalSubjectAlternativeNames": False,
        "Status": "ISSUED",
        "Type": "AMAZON_ISSUED",
        "KeyAlgorithm": "RSA-2048",
        "InUse": True,
        "NotBefore": NOW - DAY,
        "NotAfter": NOW + days * DAY,
    } | more


def iam(name: str, expires: str) -> dict[str, Any]:
    return {
        "Path": "/",
        "ServerCertificateName": name,
        "ServerCertificateId": "ASCA1",
        "Arn": f"arn:aws:iam::1:server-certificate/{name}",
        "UploadDate": "2015-07-02T10:00:00Z",
        "Expiration": expires,
    }


def has(fake: FakeAws, *pages: list[dict[str, Any]], of_iam: list[list[dict[str, Any]]] | None = None) -> None:
    """What both services have, in pages."""
    answers = [
        as_json({"CertificateSummaryList": page} | ({"NextToken": f"t{number}"} if number < len(pages) else {}))
        for number, page in enumerate(pages or ([],), 1)
    ]
    fake.on("ListCertificates", *answers)
    own = of_iam or [[]]
    fake.on(
        "ListServerCertificates",
        *(
            query(
                {"ServerCertificateMetadataList": ("member", page), "IsTruncated": number < len(own)}
                | ({"Marker": f"m{number}"} if number < len(own) else {})
            )
            for number, page in enumerate(own, 1)
        ),
    )


async def find(agent: Agent, name: str, **more: Any) -> str:
    return str((await agent.lookup("certificate", {"CertificateName": name} | more))["CertificateId"])


async def test_acms_pages_are_all_read_and_all_kinds_of_key_asked_for(faked: Agent, fake: FakeAws) -> None:
    has(fake, [acm(1, "a.example")], [acm(2, "b.example")], [acm(3, "c.example", KeyAlgorithm="EC-prime256v1")])
    values = await faked.lookup("certificate", {"CertificateName": "C.example."})
    assert values["Arn"] == "arn:aws:acm:eu-west-1:1:certificate/3"
    assert values["KeyAlgorithm"] == "EC_prime256v1"
    assert (values["Status"], values["Source"], values["InUse"]) == ("ISSUED", "acm", "true")
    calls = fake.made("ListCertificates")
    assert [each.parameters.get("NextToken") for each in calls] == [None, "t1", "t2"]
    assert "EC_secp384r1" in calls[0].parameters["Includes"]["keyTypes"]


async def test_the_very_name_is_before_a_wildcard_and_that_is_for_one_label(faked: Agent, fake: FakeAws) -> None:
    has(fake, [acm(1, "*.example.com", days=300), acm(2, "www.example.com"), acm(3, "example.com", "*.eu.example.com")])
    assert await find(faked, "www.example.com") == "2"
    assert await find(faked, "api.example.com") == "1"
    assert await find(faked, "api.eu.example.com") == "3"
    assert await find(faked, "example.com") == "3"
    with pytest.raises(NotFoundError):
        await find(faked, "a.b.example.com")
    with pytest.raises(NotFoundError):
        await find(faked, "wwwxexample.com")  # no regular expression


async def test_the_one_that_is_valid_longest(faked: Agent, fake: FakeAws) -> None:
    has(fake, [acm(1, "a.example", days=10), acm(2, "a.example", days=90), acm(3, "a.example", days=-1)])
    assert await find(faked, "a.example") == "2"
    assert (await faked.lookup("certificate", {"CertificateName": "a.example"})).get("DaysLeft") is None
    days = await faked.lookup("certificate", {"CertificateName": "a.example", "Attributes": "DaysLeft"})
    assert int(str(days["DaysLeft"])) in (89, 90)
    with pytest.raises(NotFoundError, match=r"expires in (89|90) days"):
        await find(faked, "a.example", MinDaysLeft=120)


async def test_two_that_are_valid_equally_long(faked: Agent, fake: FakeAws) -> None:
    has(fake, [acm(1, "a.example"), acm(2, "a.example", KeyAlgorithm="EC-prime256v1")])
    with pytest.raises(AmbiguousError, match=r"say Source or KeyAlgorithm") as caught:
        await find(faked, "a.example")
    assert len(caught.value.candidates) == 2
    assert await find(faked, "a.example", KeyAlgorithm="EC_prime256v1") == "2"
    assert await find(faked, "a.example", MostRecent=True) == "1"


async def test_expired_and_not_validated_yet_are_told_apart(faked: Agent, fake: FakeAws) -> None:
    has(fake, [acm(1, "a.example", days=-1, Status="EXPIRED")])
    with pytest.raises(NotFoundError, match=r"no valid certificate a\.example; .*certificate/1 .* expired on 20"):
        await find(faked, "a.example")
    pending = acm(2, "a.example", Status="PENDING_VALIDATION")
    del pending["NotAfter"], pending["NotBefore"]
    has(fake, [pending])
    with pytest.raises(NotReadyError, match=r"a\.example is not validated yet: .*certificate/2"):
        await find(faked, "a.example")


async def test_names_that_the_list_leaves_out_are_asked_for(faked: Agent, fake: FakeAws) -> None:
    summary = acm(1, "a.example", HasAdditionalSubjectAlternativeNames=True)
    has(fake, [summary])
    full = acm(1, "a.example", SubjectAlternativeNames=["a.example", "z.example"], InUseBy=[])
    fake.on("DescribeCertificate", as_json({"Certificate": full}))
    assert await find(faked, "z.example") == "1"
    fake.on("DescribeCertificate", refused("ResourceNotFoundException"))
    with pytest.raises(NotFoundError):
        await find(faked, "z.example")


async def test_a_certificate_of_iam_by_its_name_over_several_pages(faked: Agent, fake: FakeAws) -> None:
    has(fake, of_iam=[[iam("other", "2099-01-01T00:00:00Z")], [iam("mine", "2099-06-01T12:00:00Z")]])
    values = await faked.lookup("certificate", {"CertificateName": "mine"})
    original = {
        "Path": "/",
        "ServerCertificateName": "mine",
        "ServerCertificateId": "ASCA1",
        "Arn": "arn:aws:iam::1:server-certificate/mine",
        "UploadDate": "2015-07-02T10:00:00Z",
        "Expiration": "2099-06-01T12:00:00Z",
    }
    assert {key: values[key] for key in original} == original
    assert (values["Source"], values["CertificateId"]) == ("iam", "ASCA1")
    assert fake.made("ListServerCertificates")[1].parameters["Marker"] == "m1"


def pem_for(*names: str, critical: bool = False) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternative, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


async def test_a_certificate_of_iam_by_a_domain(faked: Agent, fake: FakeAws) -> None:
    item = iam("uploaded", "2099-01-01T00:00:00Z")
    has(fake, of_iam=[[item]])
    body = {"ServerCertificateMetadata": item, "CertificateBody": pem_for("example.com", "*.example.com")}
    fake.on("GetServerCertificate", query({"ServerCertificate": body}))
    values = await faked.lookup("certificate", {"CertificateName": "www.example.com", "Source": "iam"})
    assert values["ServerCertificateName"] == "uploaded"
    assert values["SubjectAlternativeNames"] == "example.com,*.example.com"
    assert fake.made("ListCertificates") == []


@pytest.mark.parametrize("critical", [True, False])
def test_names_are_read_from_certificates(critical: bool) -> None:
    names = ["a.example", "*.b.example", *(f"n{number}.example" for number in range(100))]
    pem = pem_for(*names, critical=critical)
    assert dns_names(pem) == names
    assert dns_names(pem_for()) == []
    assert dns_names("nonsense") == []
    for cut in range(0, len(pem), 7):
        assert set(dns_names(pem[:cut] + "-----END CERTIFICATE-----")) <= set(names)
