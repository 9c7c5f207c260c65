"""The policy of each lookup: what it really calls is what it says that it calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from skep_aws.plugin import AwsPlugin
from skep_aws.resolvers import SOURCES, Boto3, Place, Unresolved, Values, resolve
from tests.plugins.aws.conftest import REGION
from tests.plugins.aws.fake_aws import FakeAws, as_json, query
from tests.plugins.aws.test_aws_certificates import acm, iam, pem_for
from tests.plugins.aws.test_aws_elasticache import cluster


class Recorded(Boto3):
    """Notes each call as the IAM action that allows it; IAM's names are those of the services and operations."""

    def __init__(self, url: str) -> None:
        super().__init__(endpoint_url=url, region_name=REGION)
        self.actions: set[str] = set()

    async def call(self, place: Place, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.actions.add(f"{service}:{operation}")
        return await super().call(place, service, operation, parameters)


async def asked(name: str, aws: Recorded, *questions: Mapping[str, str]) -> list[Values | Unresolved]:
    """The answers to all questions; a refusal is an answer too."""
    answers: list[Values | Unresolved] = []
    for question in questions:
        try:
            answers.append(await resolve(name, question, aws))
        except Unresolved as error:
            answers.append(error)
    return answers


QUESTIONS: Mapping[str, list[dict[str, str]]] = {
    "image": [
        {"ImageName": "*"},
        {"Parameter": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"},
    ],
    "route53": [{"DomainName": "a.example"}],
    "vpc": [{"VpcName": "default"}],
    "stack": [{"StackName": "prod", "Resources": "true", "Nested": "true"}],
    "export": [{"StartsWith": "x"}],
    "ssm": [{"Name": "/x"}, {"Path": "/x"}],
    "secret": [{"SecretId": "x"}],
}


@pytest.mark.parametrize("name", sorted(QUESTIONS))
async def test_what_is_called_is_what_the_policy_allows(moto: str, client: Callable[..., Any], name: str) -> None:
    client("route53").create_hosted_zone(Name="a.example", CallerReference="1")
    body = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    client("cloudformation").create_stack(StackName="prod", TemplateBody=body)
    aws = Recorded(moto)
    await asked(name, aws, *QUESTIONS[name])
    assert aws.actions == set(SOURCES[name].actions)


async def test_what_is_called_for_caches_and_certificates(fake: FakeAws) -> None:
    item = iam("uploaded", "2099-01-01T00:00:00Z")
    body = {"ServerCertificateMetadata": item, "CertificateBody": pem_for("a.example")}
    more = acm(1, "b.example", HasAdditionalSubjectAlternativeNames=True)
    fake.on("DescribeCacheClusters", query({"CacheClusters": ("CacheCluster", [cluster()])}))
    fake.on("DescribeReplicationGroups", query({}))
    fake.on("DescribeServerlessCaches", query({}))
    fake.on("ListCertificates", as_json({"CertificateSummaryList": [more]}))
    fake.on("DescribeCertificate", as_json({"Certificate": more}))
    fake.on("ListServerCertificates", query({"ServerCertificateMetadataList": ("member", [item])}))
    fake.on("GetServerCertificate", query({"ServerCertificate": body}))
    for name, question in (("elasticache", {"CacheId": "prod"}), ("certificate", {"CertificateName": "a.example"})):
        aws = Recorded(fake.url)
        answers = await asked(name, aws, question)
        assert isinstance(answers[0], Values)
        assert aws.actions == set(SOURCES[name].actions)


def test_every_lookup_has_been_asked() -> None:
    assert set(QUESTIONS) | {"elasticache", "certificate"} == set(SOURCES)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_lookups_tell_all_that_a_front_end_wants_to_know(name: str) -> None:
    lookup = AwsPlugin().lookups()[name]
    assert lookup.help
    assert lookup.package == "skep_aws.resolvers"
    assert set(lookup.required) <= set(lookup.properties)
    assert {"Region", "RoleArn", "ExternalId"} <= set(lookup.properties)
    assert all(lookup.properties.values())
    assert all(lookup.attributes.values())
    statements: Any = lookup.policy()["Statement"]
    for each in statements:
        assert each["Resource"] == "*" or each["Resource"].startswith("arn:aws:")
        assert not any(action.endswith("*") for action in each["Action"])
