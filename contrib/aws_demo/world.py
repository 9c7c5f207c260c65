"""What the article's account has in it, each thing by the name that it is looked up by."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["OUTPUTS", "QUESTIONS", "STACK", "fill"]

QUESTIONS = {
    "elasticache": "CacheId=prod-cache",
    "image": "ImageName=docker-host-201508281029",
    "route53": "DomainName=example.com",
    "vpc": "VpcName=prod",
    "certificate": "CertificateName=www.example.com",
    "stack": "StackName=prod",
    "ssm": "Path=/prod/app",
    "secret": "SecretId=prod/database",
}
"""How each lookup finds its thing."""
OUTPUTS = {
    "DatabaseUrl": "postgres://app@db.example.com:5432/app?sslmode=require#primary",
    "WebUrl": "https://www.example.com",
    "Greeting": "two words, and an = sign",
}
"""What the stack `prod` puts out, besides its queue's address."""
STACK: dict[str, Any] = {
    "Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "prod-jobs"}}},
    "Outputs": {key: {"Value": value} for key, value in OUTPUTS.items()} | {"JobsUrl": {"Value": {"Ref": "Jobs"}}},
}
"""The template of `prod`."""
_SUBNETS = {"public-a": "10.20.0.0/24", "public-b": "10.20.1.0/24", "private-a": "10.20.10.0/24"}


def fill(url: str, region: str) -> None:
    """Make everything. Raises botocore's errors."""
    import boto3

    session = boto3.session.Session("demo", "demo", region_name=region)

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=url)

    client("cloudformation").create_stack(StackName="prod", TemplateBody=json.dumps(STACK))
    # A replication group: moto's single clusters have no nodes, and so no endpoint.
    client("elasticache").create_replication_group(
        ReplicationGroupId="prod-cache", ReplicationGroupDescription="the counter's redis", Engine="redis"
    )
    for name in ("docker-host-201508281029", "docker-host-201509301200"):
        client("ec2").register_image(Name=name, RootDeviceName="/dev/sda1", VirtualizationType="hvm")
    client("route53").create_hosted_zone(Name="example.com", CallerReference="demo")
    client("acm").request_certificate(DomainName="www.example.com", SubjectAlternativeNames=["example.com"])
    _network(client)
    _parameters(client)


def _network(client: Callable[[str], Any]) -> None:
    """A VPC with public subnets, whose routes lead to the internet, and a private one."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=_named("vpc", "prod"))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for name, cidr in _SUBNETS.items():
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, TagSpecifications=_named("subnet", name))
        if name.startswith("public"):
            ec2.associate_route_table(RouteTableId=table, SubnetId=made["Subnet"]["SubnetId"])


def _named(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def _parameters(client: Callable[[str], Any]) -> None:
    ssm = client("ssm")
    ssm.put_parameter(Name="/prod/app/log_level", Value="info", Type="String")
    ssm.put_parameter(Name="/prod/app/workers", Value="4", Type="String")
    ssm.put_parameter(Name="/prod/app/api_key", Value="only a demonstration", Type="SecureString")
    value = json.dumps({"username": "app", "password": "correct horse battery staple"})
    client("secretsmanager").create_secret(Name="prod/database", SecretString=value)
