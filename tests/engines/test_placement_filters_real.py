"""Filters on two real engines, through the stock docker command: what they keep, and what it prints of those that they refuse."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contrib.lab import Lab
from contrib.lab.fixtures import require_engines
from skep import Agent, parse_settings
from tests.engines.conftest import PLACEMENT, Endpoint

LABELS = {"left": {"containerslots": "2", "disk": "ssd"}, "right": {"containerslots": "3.0", "node": "left"}}
SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture(scope="module")
def _two_engines() -> Iterator[Lab]:
    require_engines()
    with Lab(LABELS, labels=LABELS) as lab:
        yield lab


@pytest.fixture
async def two(_two_engines: Lab, tmp_path: Path) -> AsyncIterator[Endpoint]:
    """Both engines as one cluster; left has two slots, right has a label that is no number, and one that is passed over."""
    url = f"unix://{tmp_path}/skep.sock"
    engines = [host.url for host in _two_engines.hosts.values()]
    plugins = {**{name: {} for name in PLACEMENT}, "docker_api": {"listen": [url]}}
    async with Agent(parse_settings({"cluster": {"engines": engines}, "plugins": plugins})) as agent:
        yield Endpoint(agent, url, _two_engines)
    _two_engines.sync.reset()


async def node_of(two: Endpoint, name: str) -> str:
    return await two.docker("inspect", "-f", "{{.Node.Name}}", name)


async def refused(two: Endpoint, *arguments: str) -> list[str]:
    """What docker says of a container that is not created, without hints at where more is told."""
    told = await two.docker("create", *arguments, fails=True)
    told, _, _ = told.partition("\n\nRun 'docker")
    lines = told.removeprefix("docker: ").removeprefix("Error response from daemon: ").splitlines()
    return [line for line in lines if not line.startswith("skep decisions show")]


async def test_a_whitelist_names_nodes(two: Endpoint) -> None:
    await two.docker("run", "-d", "--name", "box", "-e", "A=1", "-e", "whitelist:node==right|nowhere", *SLEEP)
    assert await node_of(two, "box") == "right"
    config = json.loads(await two.docker("inspect", "-f", "{{json .Config}}", "box"))
    assert config["Labels"]["com.docker.swarm.whitelists"] == '["node==right|nowhere"]'
    assert [each for each in config["Env"] if not each.startswith("PATH=")] == ["A=1"]
    assert await refused(two, "-e", "whitelist:node==nowhere", *SLEEP) == [
        "Unable to find a node that satisfies the following conditions: whitelist node==nowhere",
        "  left: whitelist node==nowhere: it is left",
        "  right: whitelist node==nowhere: it is right",
    ]


async def test_slots_count_containers_of_any_state(two: Endpoint) -> None:
    where = ("-e", "constraint:node==left")
    await two.docker("create", "--name", "box", *where, *SLEEP)
    await two.docker("run", "-d", "--name", "box2", *where, *SLEEP)
    assert (await refused(two, *where, *SLEEP))[
        1
    ] == "  left: slots: its label containerslots is 2, and it holds 2 containers"
    for name in ("box3", "box4"):
        await two.docker("create", "--name", name, *SLEEP)
        assert await node_of(two, name) == "right"
    await two.docker("rm", "box")
    await two.docker("create", "--name", "box5", *where, *SLEEP)


async def test_udp_beside_tcp_and_ports_of_the_hosts_network(two: Endpoint) -> None:
    where = ("-e", "constraint:node==left")
    await two.docker("run", "-d", "--name", "tcp", "-p", "5300:53", *where, *SLEEP)
    await two.docker("run", "-d", "--name", "udp", "-p", "5300:53/udp", *where, *SLEEP)
    ports = [await two.docker("port", name) for name in ("tcp", "udp")]
    assert [each.split(" ")[0] for each in ports] == ["53/tcp", "53/udp"]
    await two.docker("rm", "-f", "tcp", "udp")
    host = ("--net", "host", "--expose", "8080")
    await two.docker("run", "-d", "--name", "first", *host, *where, *SLEEP)
    await two.docker("run", "-d", "--name", "second", *host, *SLEEP)
    assert await node_of(two, "second") == "right"
    first, left, right = await refused(two, *host, *SLEEP)
    assert first == "Unable to find a node that satisfies the following conditions: port 8080/tcp"
    assert left.startswith("  left: port 8080/tcp: taken by first (")
    assert right.startswith("  right: port 8080/tcp: taken by second (")


async def test_away_from_a_label(two: Endpoint) -> None:
    await two.docker("run", "-d", "--name", "db", "-l", "tier=db", "-e", "constraint:disk==ssd", *SLEEP)
    await two.docker("run", "-d", "--name", "app", "-e", "affinity:tier!=db", *SLEEP)
    assert await node_of(two, "app") == "right"
    with_db = ("-e", "affinity:tier==db", "-e", "affinity:container!=db", *SLEEP)
    first, left, right = await refused(two, *with_db)
    _, _, conditions = first.partition(": ")  # docker's command line hands -e on in this order most of the time
    assert sorted(conditions.split("; ")) == ["affinity container!=db", "affinity tier==db"]
    assert left.startswith("  left: affinity container!=db: db (")
    assert right == "  right: affinity tier==db: none of its 1 containers has the label tier"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("-e", "constraint:disk=ssd"),  # alone: docker's command line may change the order of several
            [
                "invalid constraint 'disk=ssd' (environment entry 1), at character 5: expected one of the operators == and !=, "
                "as in key==value",
                "  disk=ssd",
                "      ^",
            ],
        ),
        (
            ("-l", 'com.docker.swarm.affinities=["image==a","tier==/(/"]'),
            [
                "invalid affinity 'tier==/(/' (label com.docker.swarm.affinities, entry 2), at character 7: expected a regular "
                "expression (missing ): ()",
                "  tier==/(/",
                "        ^",
            ],
        ),
        (
            ("-e", "whitelist:node==le*"),
            [
                "invalid whitelist 'node==le*' (environment entry 1), at character 9: expected names of nodes with | between "
                "them; for a pattern use a constraint",
                "  node==le*",
                "          ^",
            ],
        ),
        (
            ("-e", "reschedule:always"),
            ["invalid reschedule policy: 'always' (environment entry 1): expected off or on-node-failure"],
        ),
        (
            ("-l", "com.docker.swarm.constraints={}"),
            [
                'label com.docker.swarm.constraints: expected a JSON list of texts, such as ["node==node-1"], got '
                "'{}' (Expected `array`, got `object`)"
            ],
        ),
    ],
    ids=["constraint", "regular expression in a label", "whitelist", "reschedule", "label"],
)
async def test_what_is_malformed_is_shown_with_its_place(
    two: Endpoint, arguments: tuple[str, ...], told: list[str]
) -> None:
    assert await refused(two, *arguments, *SLEEP) == told
    assert await two.docker("ps", "-aq") == ""


async def test_what_is_mistyped_is_warned_of(two: Endpoint) -> None:
    told = await two.docker("create", "--name", "box", "-e", "contraint:node==left", *SLEEP)
    assert (
        "WARNING: environment entry 1 (contraint:…) is handed to the container as it is; did you mean constraint:…?"
        in told
    )
