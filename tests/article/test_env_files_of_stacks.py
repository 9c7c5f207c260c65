"""The end of the article about custom resources: a stack's outputs as an env file, and a container that is started with it.

First by the article's own property Environment, which is text that a stack keeps as it was; then by the agent, which keeps the file true.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contrib.aws_demo.world import OUTPUTS, STACK
from contrib.lab import Host
from tests.article.cloud import SHOWN, Cloud, stack_name
from tests.article.swarm import eventually
from tests.contrib.aws_demo.running import SKEP

ONE = """
[http]
listen = ["unix://{folder}/skep.sock"]
[plugins.aws]
max_age = "100ms"
[plugins.envfile]
state = "{folder}/envfile.json"
[plugins.envfile.files.prod]
path = "{folder}/prod.env"
interval = "1s"
sources = [{{ lookup = "stack", properties = {{ StackName = "prod" }} }}]
"""
OWN = {"PATH", "HOSTNAME", "HOME"}
"""What a container has of itself."""

pytestmark = pytest.mark.timeout(240)  # what is made once for all counts as the first test's time


@pytest.fixture(scope="module")
def stacks() -> Iterator[Cloud]:
    """The six functions, and the test stacks that ask them."""
    with Cloud() as cloud:
        cloud.skep("custom-resource", "deploy", *SHOWN)
        for name in SHOWN:
            cloud.up(name)
        yield cloud


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """An env file of all that the six test stacks put out, and one of the outputs of the stack prod."""
    stack = '{{ lookup = "stack", properties = {{ StackName = "{}" }}, prefix = "{}_" }}'
    sources = ",\n  ".join(stack.format(stack_name(name), name.upper()) for name in SHOWN)
    file = tmp_path / "skep.toml"
    file.write_text(f"""
[http]
listen = ["unix://{tmp_path}/skep.sock"]
[plugins.aws]
max_age = "100ms"
[plugins.envfile]
state = "{tmp_path}/envfile.json"
[plugins.envfile.files.six]
path = "{tmp_path}/six.env"
interval = "1s"
sources = [
  {sources},
]
""")
    return file


def environment(engine: Host, file: Path) -> dict[str, str]:
    """Of a container that the stock docker command starts with this file; each variable once."""
    lines = engine.sync.docker("run", "--rm", "--env-file", str(file), "busybox", "env").split("\n")
    entries = [line.partition("=")[::2] for line in lines]
    assert len(dict(entries)) == len(entries)
    return {key: value for key, value in entries if key not in OWN}


def outputs(stacks: Cloud) -> dict[str, str]:
    """All that the test stacks put out, as CloudFormation tells it."""
    return {
        f"{name.upper()}_{attribute}": stacks.formation.stacks[stack_name(name)].data[attribute]
        for name, attributes in SHOWN.items()
        for attribute in attributes
    }


def test_the_property_environment_is_an_env_file(stacks: Cloud, engine: Host, tmp_path: Path) -> None:
    """As the article saves it: written to a file, and given to docker run."""
    file = tmp_path / "prod.env"
    file.write_text(stacks.formation.stacks[stack_name("stack")].data["Environment"] + "\n")
    found = environment(engine, file)
    assert found.pop("JobsUrl").endswith("/prod-jobs")
    assert found == OUTPUTS


def test_a_container_has_exactly_the_outputs_of_the_six_stacks(
    stacks: Cloud, engine: Host, settings: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rendered.env"
    file.write_text(stacks.skep("envfile", "render", "six", "-c", str(settings)).stdout)
    wanted = outputs(stacks)
    assert len(wanted) == sum(map(len, SHOWN.values()))
    assert environment(engine, file) == wanted


@contextmanager
def agent(settings: Path, environ: dict[str, str]) -> Iterator[None]:
    """`skep run` with these settings, which ends well with the block."""
    log = settings.with_suffix(".log")
    command = [str(SKEP), "run", "-c", str(settings)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()


@pytest.fixture
def undisturbed(stacks: Cloud) -> Iterator[Cloud]:
    """The whole, for a test that changes stacks: changed back afterwards."""
    yield stacks
    stacks.up("image")
    stacks.client("cloudformation").update_stack(StackName="prod", TemplateBody=json.dumps(STACK))


def test_the_agent_keeps_the_file_true_when_a_stack_changes(
    undisturbed: Cloud, engine: Host, settings: Path, tmp_path: Path
) -> None:
    file, before = tmp_path / "six.env", outputs(undisturbed)
    with agent(settings, undisturbed.demo.environ):
        eventually(file.exists, 30, f"{file} is there")
        assert file.stat().st_mode & 0o777 == 0o600
        assert environment(engine, file) == before
        undisturbed.up("image", "ImageName=docker-host-201509301200")
        after = outputs(undisturbed)
        assert after["IMAGE_ImageId"] != before["IMAGE_ImageId"]
        eventually(
            lambda: f"IMAGE_ImageId={after['IMAGE_ImageId']}\n" in file.read_text(), 20, "the new image is in it"
        )
        assert environment(engine, file) == after


def test_what_a_custom_resource_keeps_as_it_was_is_new_in_an_env_file(
    undisturbed: Cloud, engine: Host, tmp_path: Path
) -> None:
    """CloudFormation asks again only when the properties change; the agent asks what is so now."""
    file, settings = tmp_path / "prod.env", tmp_path / "skep.toml"
    settings.write_text(ONE.format(folder=tmp_path))
    plain = {**undisturbed.demo.environ}
    del plain["AWS_ENDPOINT_URL_CLOUDFORMATION"]  # the stack prod is the demonstration's
    with agent(settings, plain):
        eventually(file.exists, 30, f"{file} is there")
        changed = {**STACK, "Outputs": {**STACK["Outputs"], "WebUrl": {"Value": "https://new.example.com"}}}
        undisturbed.client("cloudformation").update_stack(StackName="prod", TemplateBody=json.dumps(changed))
        eventually(lambda: "WebUrl=https://new.example.com\n" in file.read_text(), 20, "the new URL is in it")
        assert environment(engine, file)["WebUrl"] == "https://new.example.com"
    undisturbed.up("stack")
    assert outputs(undisturbed)["STACK_WebUrl"] == OUTPUTS["WebUrl"]
