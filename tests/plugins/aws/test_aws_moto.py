"""Lookups against moto's server: what each finds, and what it says where there is none, several, or nothing to see yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from skep import Agent, AmbiguousError, NotFoundError, PropertyError
from tests.plugins.aws.conftest import agent_at

Client = Callable[..., Any]


def named(name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": name}]}]


def template(outputs: dict[str, str], exports: dict[str, str] | None = None) -> str:
    made: dict[str, Any] = {key: {"Value": value} for key, value in outputs.items()}
    for key, name in (exports or {}).items():
        made[key]["Export"] = {"Name": name}
    return json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": made})


# -- stack, export


async def test_a_stacks_outputs(agent: Agent, client: Client) -> None:
    outputs = {"DbUrl": "postgres://a b=c#d", "Lines": "a\nb", "QueueName": "q"}
    client("cloudformation").create_stack(StackName="prod", TemplateBody=template(outputs))
    assert await agent.lookup("stack", {"StackName": "prod"}) == outputs
    with pytest.raises(PropertyError, match="output Lines has more than one line"):
        await agent.lookup("stack", {"StackName": "prod", "Environment": True})
    values = await agent.lookup("stack", {"StackName": "prod", "Environment": True, "Excludes": ["Lines"]})
    assert values["Environment"] == "DbUrl=postgres://a b=c#d\nQueueName=q"
    changed = {"KeyStyle": "upper_snake", "Prefix": "APP_", "Rename": "QueueName=QUEUE", "Excludes": "Li*"}
    assert await agent.lookup("stack", {"StackName": "prod"} | changed) == {
        "APP_DB_URL": outputs["DbUrl"],
        "QUEUE": "q",
    }


async def test_a_stack_that_is_not_there_or_no_longer(agent: Agent, client: Client) -> None:
    with pytest.raises(NotFoundError, match="lookup stack: there is no stack prod"):
        await agent.lookup("stack", {"StackName": "prod"})
    made = client("cloudformation").create_stack(StackName="prod", TemplateBody=template({"A": "1"}))
    client("cloudformation").delete_stack(StackName="prod")
    with pytest.raises(NotFoundError, match="is of no use: its status is DELETE_COMPLETE"):
        await agent.lookup("stack", {"StackName": made["StackId"]})


async def test_a_stacks_resources(agent: Agent, client: Client) -> None:
    client("cloudformation").create_stack(StackName="prod", TemplateBody=template({"A": "1"}))
    values = await agent.lookup("stack", {"StackName": "prod", "Resources": True})
    assert str(values["Resource.Topic"]).startswith("arn:aws:sns:eu-west-1:")


async def test_nested_stacks(agent: Agent, client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="templates", Key="child.json", Body=template({"Inner": "2"}).encode())
    child = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": "https://templates.s3.amazonaws.com/child.json"},
    }
    body = json.dumps({"Resources": {"Child": child}, "Outputs": {"Outer": {"Value": "1"}}})
    client("cloudformation").create_stack(StackName="prod", TemplateBody=body)
    assert await agent.lookup("stack", {"StackName": "prod", "Nested": True}) == {"Outer": "1", "Child.Inner": "2"}


async def test_exports_over_several_pages(agent: Agent, client: Client) -> None:
    for number in range(3):
        outputs = {f"K{each}": f"v{number}-{each}" for each in range(50)}
        exports = {f"K{each}": f"s{number}-k{each:02}" for each in range(50)}
        client("cloudformation").create_stack(StackName=f"s{number}", TemplateBody=template(outputs, exports))
    values = await agent.lookup("export", {"ExportName": "s2-k49"})
    assert values["Value"] == "v2-49"
    assert len(await agent.lookup("export", {"StartsWith": "s2-"})) == 50
    with pytest.raises(NotFoundError, match="no stack exports s3-k00"):
        await agent.lookup("export", {"ExportName": "s3-k00"})


# -- image


async def test_images(agent: Agent, client: Client) -> None:
    ec2 = client("ec2")
    for name in ("web-1", "web-2", "db-1"):
        ec2.register_image(Name=name, RootDeviceName="/dev/sda1", Architecture="x86_64", VirtualizationType="hvm")
    image = (await agent.lookup("image", {"ImageName": "db-1"}))["ImageId"]
    assert (await agent.lookup("image", {"ImageId": image}))["Name"] == "db-1"
    assert (await agent.lookup("image", {"ImageName": "web-*"}))["MatchCount"] == "2"
    with pytest.raises(AmbiguousError, match="2 images are called web-") as caught:
        await agent.lookup("image", {"ImageName": "web-*", "MostRecent": False})
    assert ["(web-" in each for each in caught.value.candidates] == [True, True]
    with pytest.raises(NotFoundError, match=r"there is no image nginx-\*, of owners \['self'\]"):
        await agent.lookup("image", {"ImageName": "nginx-*"})
    with pytest.raises(NotFoundError, match="there is no image ami-00000000"):
        await agent.lookup("image", {"ImageId": "ami-00000000"})
    with pytest.raises(PropertyError, match="expected one of ImageName, ImageId and Parameter"):
        await agent.lookup("image", {"ImageName": "a", "ImageId": "ami-1"})


async def test_an_image_of_a_public_parameter(agent: Agent) -> None:
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    with pytest.raises(NotFoundError, match="there is no image ami-"):  # moto is told to load none
        await agent.lookup("image", {"Parameter": name})
    with pytest.raises(PropertyError, match="expected a public parameter, /aws/service/"):
        await agent.lookup("image", {"Parameter": "/mine"})
    with pytest.raises(NotFoundError, match="there is no parameter /aws/service/none"):
        await agent.lookup("image", {"Parameter": "/aws/service/none"})


# -- route53


def zone(client: Client, name: str, vpc: str = "") -> str:
    more = {"VPC": {"VPCRegion": "eu-west-1", "VPCId": vpc}, "HostedZoneConfig": {"PrivateZone": True}} if vpc else {}
    made = client("route53").create_hosted_zone(Name=name, CallerReference=f"{name}{vpc}", **more)
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


async def test_zones(agent: Agent, client: Client) -> None:
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    public, private = zone(client, "example.com"), zone(client, "example.com", vpc)
    zone(client, "notexample.com")
    values = await agent.lookup("route53", {"DomainName": "Example.com.", "Private": False})
    assert (values["Id"], values["Name"], values["Private"]) == (public, "example.com", "false")
    assert len(str(values["NameServers"]).split(",")) == 4
    assert int(str(values["ResourceRecordSetCount"])) >= 0
    choices: tuple[dict[str, Any], ...] = ({"Private": True}, {"VpcId": vpc})
    for choice in choices:
        assert (await agent.lookup("route53", {"DomainName": "example.com"} | choice))["Id"] == private
    with pytest.raises(AmbiguousError, match="2 hosted zones are called example") as caught:
        await agent.lookup("route53", {"DomainName": "example.com"})
    assert sorted(caught.value.candidates) == sorted([f"{public} (public)", f"{private} (private, of {vpc})"])
    with pytest.raises(NotFoundError, match="there is no hosted zone api"):
        await agent.lookup("route53", {"DomainName": "api.eu.example.com"})
    parent = {"DomainName": "api.eu.example.com", "MatchParent": True, "Private": False}
    assert (await agent.lookup("route53", parent))["Id"] == public
    assert (await agent.lookup("route53", {"ZoneId": public}))["Name"] == "example.com"
    with pytest.raises(NotFoundError, match="no hosted zone with the id ZNONE"):
        await agent.lookup("route53", {"ZoneId": "ZNONE"})


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
async def test_a_zones_arn_is_of_its_partition(moto: str, client: Client, region: str, partition: str) -> None:
    made = client("route53", region).create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    async with agent_at(moto, region=region) as agent:
        values = await agent.lookup("route53", {"DomainName": "example.com"})
    assert values["Arn"] == f"arn:{partition}:route53:::{made.removeprefix('/')}"


async def test_a_zone_of_other_letters(agent: Agent, client: Client) -> None:
    there = zone(client, "xn--bcher-kva.example")
    assert (await agent.lookup("route53", {"DomainName": "Bücher.example"}))["Id"] == there


# -- vpc


async def test_the_default_vpc(agent: Agent, client: Client) -> None:
    values = await agent.lookup("vpc", {"VpcName": "default"})
    subnets = client("ec2").describe_subnets()["Subnets"]
    in_order = [each["SubnetId"] for each in sorted(subnets, key=lambda each: each["AvailabilityZone"])]
    assert values["Subnets"] == in_order
    assert values["SubnetIds"] == ",".join(in_order)
    assert [values[f"SubnetId{number}"] for number in range(3)] == in_order
    assert values["SubnetIds.a"] == in_order[0]
    assert values["IsDefault"] == "true"
    assert str(values["DefaultSecurityGroupId"]).startswith("sg-")


async def test_a_vpcs_subnets_by_their_routes(agent: Agent, client: Client) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=named("prod"))["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone="eu-west-1a")["Subnet"][
            "SubnetId"
        ]
        for number in range(3)
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    for subnet, target in ((subnets[0], {"GatewayId": gateway}), (subnets[1], {"NatGatewayId": nat})):
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_tags(Resources=[subnets[1]], Tags=[{"Key": "tier", "Value": "app"}, {"Key": "Name", "Value": "app-a"}])
    values = await agent.lookup("vpc", {"VpcName": "prod"})
    assert [values[f"{kind}SubnetIds"] for kind in ("Public", "Private", "Isolated")] == subnets
    assert (values["InternetGatewayId"], values["NatGatewayIds"]) == (gateway, nat)
    assert values["SubnetId.app-a"] == subnets[1]
    assert (await agent.lookup("vpc", {"VpcName": "prod", "SubnetTag:tier": "app"}))["SubnetIds"] == subnets[1]
    with pytest.raises(NotFoundError, match="has no subnets that match"):
        await agent.lookup("vpc", {"VpcName": "prod", "OnlyDefaultSubnets": True})
    nothing = {"VpcName": "prod", "OnlyDefaultSubnets": True, "AllowEmpty": True}
    assert (await agent.lookup("vpc", nothing))["SubnetIds"] == ""


async def test_vpcs_of_one_name(agent: Agent, client: Client) -> None:
    for cidr in ("10.1.0.0/16", "10.2.0.0/16"):
        client("ec2").create_vpc(CidrBlock=cidr, TagSpecifications=named("prod"))
    with pytest.raises(AmbiguousError, match="2 VPCs match prod") as caught:
        await agent.lookup("vpc", {"VpcName": "prod"})
    assert sorted(each.partition(" ")[2] for each in caught.value.candidates) == ["(10.1.0.0/16)", "(10.2.0.0/16)"]
    with pytest.raises(NotFoundError, match="there is no VPC test"):
        await agent.lookup("vpc", {"VpcName": "test"})


# -- ssm, secret


async def test_parameters(agent: Agent, client: Client) -> None:
    ssm = client("ssm")
    for number in range(23):
        ssm.put_parameter(Name=f"/app/prod/key{number:02}", Value=f"v{number}", Type="String")
    ssm.put_parameter(Name="/app/prod/db/password", Value="s3cret", Type="SecureString")
    values = await agent.lookup("ssm", {"Path": "/app/prod"})
    assert len(values) == 24
    assert values["db/password"] == "s3cret"
    assert values.secret == {"db/password"}
    shallow = await agent.lookup("ssm", {"Path": "/app/prod/", "Recursive": False, "KeyStyle": "upper_snake"})
    assert sorted(shallow)[0] == "KEY00"
    assert "DB_PASSWORD" not in shallow
    names = [f"/app/prod/key{number:02}" for number in range(12)]
    assert list((await agent.lookup("ssm", {"Name": names})).values()) == [f"v{number}" for number in range(12)]
    assert await agent.lookup("ssm", {"Name": "/app/prod/db/"}) == {"password": "s3cret"}
    with pytest.raises(PropertyError, match="Name: one that ends in / is a path; expected it alone"):
        await agent.lookup("ssm", {"Name": ["/app/prod/key00", "/app/prod/"]})
    with pytest.raises(NotFoundError, match="there is no parameter /app/prod/none"):
        await agent.lookup("ssm", {"Name": ["/app/prod/key00", "/app/prod/none"]})
    with pytest.raises(NotFoundError, match="there are no parameters below /other"):
        await agent.lookup("ssm", {"Path": "/other"})
    assert await agent.lookup("ssm", {"Path": "/other", "AllowEmpty": True}) == {}


async def test_secrets(agent: Agent, client: Client) -> None:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="app/db", SecretString='{"user": "u", "port": 5432, "more": {"a": [1]}, "on": true}')
    secrets.create_secret(Name="app/plain", SecretString="{not json")
    secrets.create_secret(Name="app/binary", SecretBinary=b"\0\xff")
    values = await agent.lookup("secret", {"SecretId": "app/db", "Prefix": "DB_"})
    assert values == {"DB_user": "u", "DB_port": "5432", "DB_more": '{"a":[1]}', "DB_on": "true"}
    assert values.secret == set(values)
    assert await agent.lookup("secret", {"SecretId": "app/plain"}) == {"plain": "{not json"}
    assert await agent.lookup("secret", {"SecretId": "app/binary"}) == {"binary": "AP8="}
    with pytest.raises(NotFoundError, match="there is no secret none"):
        await agent.lookup("secret", {"SecretId": "none"})
    with pytest.raises(NotFoundError, match="there is no secret app/db"):
        await agent.lookup("secret", {"SecretId": "app/db", "VersionStage": "AWSPENDING"})
    secrets.delete_secret(SecretId="app/plain")
    with pytest.raises(NotFoundError, match="marked deleted"):
        await agent.lookup("secret", {"SecretId": "app/plain"})


# -- region, account


async def test_another_region_and_another_account(agent: Agent, client: Client) -> None:
    client("cloudformation", "us-east-1").create_stack(StackName="there", TemplateBody=template({"A": "1"}))
    assert await agent.lookup("stack", {"StackName": "there", "Region": "us-east-1"}) == {"A": "1"}
    with pytest.raises(NotFoundError):
        await agent.lookup("stack", {"StackName": "there"})
    role = {"RoleArn": "arn:aws:iam::111111111111:role/reader", "ExternalId": "secret"}
    with pytest.raises(NotFoundError):
        await agent.lookup("stack", {"StackName": "there", "Region": "us-east-1"} | role)
    with pytest.raises(PropertyError, match="egion"):
        await agent.lookup("stack", {"StackName": "there", "Region": "evil.example/"})


async def test_only_some_attributes(agent: Agent, client: Client) -> None:
    values = await agent.lookup("vpc", {"VpcName": "default", "Attributes": "VpcId,CidrBlock*"})
    assert sorted(values) == ["CidrBlock", "CidrBlocks", "VpcId"]
    with pytest.raises(PropertyError, match="Attributes: none of Vpcid is there; there are AvailabilityZoneIds"):
        await agent.lookup("vpc", {"VpcName": "default", "Attributes": "Vpcid"})
