"""The article "Simple Clustering with Docker Swarm and Nginx", from its first command to its last, and what may go wrong then.

Each fixture is a chapter, which stands on the one before; the tests read in the article's order, and run in any.
"""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from contrib.lab import ARTICLE, LabError
from tests.article.swarm import Swarm, eventually

SERVICES = ("redis-counter.docker", "postgres-counter.docker")


@pytest.fixture(scope="module")
def databases(swarm: Swarm) -> Swarm:
    """Chapter "Starting Redis", "Starting Postgres"."""
    images = {"frontend": ["nginx-proxy"], "backend1": ["redis", "counter"], "backend2": ["postgres", "counter"]}
    swarm.lab.sync.tars([image for wanted in images.values() for image in wanted])
    swarm.lab.sync.each(lambda host: host.load(*images[host.name]), images)
    eventually(lambda: swarm.docker("images", "-q", "nginx-proxy"), 10, "the images are known")
    for name, model in (("redis", "high-memory"), ("postgres", "large-disk")):
        constraints = ("--env", "constraint:public!=yes", "--env", f"constraint:model=={model}")
        swarm.docker("run", "-d", "--name", name, *constraints, name)
    return swarm


@pytest.fixture(scope="module")
def proxy(databases: Swarm) -> Swarm:
    """Chapter "Starting Nginx-Proxy": it reads DOCKER_HOST."""
    published = ("-p", "80:80", "--env", "constraint:public==yes", "--env", "DOCKER_HOST")
    databases.docker("run", "-d", "--name", "nginx", *published, "nginx-proxy")
    return databases


@pytest.fixture(scope="module")
def services(proxy: Swarm) -> Swarm:
    """Chapter "Starting Web Services"; returns when nginx serves them."""
    proxy.docker(
        *("run", "-d", "--name", "redis-counter", "-p", "80", "--link", "redis"),
        *("--env", "affinity:container==*redis*", "--env", "REDIS_URL=redis:6379"),
        *("--env", "VIRTUAL_HOST=redis-counter.docker", "counter"),
    )
    proxy.docker(
        *("run", "-d", "--name", "postgres-counter", "-p", "80", "--link", "postgres"),
        *("--env", "POSTGRES_URL=postgres://postgres@postgres"),
        *("--env", "VIRTUAL_HOST=postgres-counter.docker", "counter"),
    )
    serves_both(proxy)
    return proxy


@pytest.fixture
def undisturbed(services: Swarm) -> Iterator[Swarm]:
    """The whole, for a test that harms it: mended afterwards."""
    yield services
    for host in services.lab.hosts.values():
        host.sync.start()
    eventually(lambda: info(services).count("Status: Healthy") == 4, 20, "all nodes are well")
    for name in ("redis", "postgres", "redis-counter", "postgres-counter"):
        services.docker("start", name)
    serves_both(services)


def browse(swarm: Swarm, host: str) -> tuple[int, str]:
    """Status and text of the page at http://HOST/, where HOST resolves to the frontend; 0 when there is no server."""
    request = urllib.request.Request(f"http://{swarm.lab['frontend'].address}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def serves_both(swarm: Swarm) -> None:
    """Wait until nginx serves both services; what it says otherwise is worth reading."""
    try:
        eventually(lambda: [browse(swarm, host)[0] for host in SERVICES] == [200, 200], 30, "nginx serves both")
    except LabError as error:
        log = swarm.run("docker", "logs", "--tail", "30", "nginx")
        raise AssertionError(f"{error}; docker logs nginx:\n{log.stdout}{log.stderr}") from None


def info(swarm: Swarm) -> str:
    """What docker info prints, with each line's indentation and box characters off."""
    return re.sub(r"^[ └]+", "", swarm.docker("info"), flags=re.MULTILINE)


def node_rows(swarm: Swarm) -> dict[str, dict[str, str]]:
    """The rows of docker info per node: name to key to value."""
    nodes: dict[str, dict[str, str]] = {}
    rows: dict[str, str] = {}
    for line in info(swarm).splitlines():
        key, _, value = line.partition(": ")
        if key in ARTICLE:
            rows = nodes.setdefault(key, {"Address": value})
        rows.setdefault(key, value)
    return nodes


def stored(swarm: Swarm) -> dict[str, int]:
    """The counts, asked of the databases themselves."""
    redis = swarm.docker("exec", "redis", "redis-cli", "get", "counter")
    postgres = swarm.docker("exec", "postgres", "psql", "-U", "postgres", "-Atc", "SELECT value FROM counter")
    return {"redis-counter.docker": int(redis), "postgres-counter.docker": int(postgres)}


def test_docker_info_lists_the_swarm(swarm: Swarm) -> None:
    text = info(swarm)
    for line in (
        "Role: primary",
        "Strategy: spread",
        "Filters: health, port, slots, dependency, affinity, constraint, whitelist",
        "Nodes: 4",
    ):
        assert re.search(f"^{line}$", text, re.MULTILINE), text
    nodes = node_rows(swarm)
    assert list(nodes) == sorted(ARTICLE)
    for name, labels in ARTICLE.items():
        assert nodes[name]["Address"] == f"{swarm.lab[name].address}:2375"
        assert nodes[name]["Status"] == "Healthy"
        assert {f"{key}={value}" for key, value in labels.items()} <= set(nodes[name]["Labels"].split(", "))
        assert re.fullmatch(r"0 / \d+", nodes[name]["Reserved CPUs"])
        assert re.fullmatch(r"0 B / [\d.]+ GiB", nodes[name]["Reserved Memory"])


def test_machines_are_listed(swarm: Swarm) -> None:
    listed = swarm.skep("list", swarm.discovery).split()
    assert sorted(listed) == sorted(f"{host.address}:2375" for host in swarm.lab.hosts.values())
    rows = [line.split() for line in swarm.skep("nodes").splitlines()]
    assert [row[:2] for row in rows[1:]] == [[name, "healthy"] for name in sorted(ARTICLE)]
    explained = swarm.skep("explain", "--", "-e", "constraint:model==high-memory", "redis")
    assert explained.endswith("it would go to backend1")


def test_databases_are_on_the_machines_with_their_labels(databases: Swarm) -> None:
    shown = databases.docker("ps", "--format", "{{.Image}} {{.Ports}} {{.Names}}").splitlines()
    assert {line.partition(",")[0] for line in shown} >= {
        "postgres 5432/tcp backend2/postgres",
        "redis 6379/tcp backend1/redis",
    }
    environment = databases.docker("inspect", "-f", "{{.Config.Env}} {{.Config.Labels}}", "redis")
    variables, _, labels = environment.partition("] map")
    assert "constraint" not in variables
    assert "model==high-memory" in labels


def test_docker_ps_shows_every_container_on_its_machine(services: Swarm) -> None:
    assert services.names() == {
        "backend2/postgres-counter",
        "backend1/redis-counter",
        "frontend/nginx",
        "backend2/postgres,backend2/postgres-counter/postgres",
        "backend1/redis,backend1/redis-counter/redis",
    }
    for name in ("frontend", "backend1", "backend2"):
        own = services.lab[name].sync.docker("ps", "--format", "{{.ID}}").split()
        assert set(own) == set(services.docker("ps", "--filter", f"node={name}", "--format", "{{.ID}}").split())


def test_ports_are_shown_at_their_machines_addresses(services: Swarm) -> None:
    port = services.docker("port", "redis-counter", "80").splitlines()[0]
    address = services.lab["backend1"].address
    assert re.fullmatch(rf"{re.escape(address)}:\d+", port)
    with urllib.request.urlopen(f"http://{port}/", timeout=10) as answer:
        assert int(answer.read()) > 0


@pytest.mark.parametrize("host", SERVICES)
def test_services_count_in_their_databases(services: Swarm, host: str) -> None:
    before = stored(services)
    assert [browse(services, host) for _ in range(3)] == [(200, f"{before[host] + n}\n") for n in (1, 2, 3)]
    assert stored(services) == {**before, host: before[host] + 3}


def test_a_host_that_nobody_serves_is_told_so(services: Swarm) -> None:
    assert browse(services, "no-such-service.docker")[0] == 503


def test_a_stopped_service_leaves_nginx_and_comes_back(undisturbed: Swarm) -> None:
    undisturbed.docker("stop", "redis-counter")
    eventually(lambda: browse(undisturbed, SERVICES[0])[0] == 503, 10, "nginx has let go of redis-counter")
    assert browse(undisturbed, SERVICES[1])[0] == 200
    undisturbed.docker("start", "redis-counter")
    eventually(lambda: browse(undisturbed, SERVICES[0])[0] == 200, 20, "nginx serves redis-counter again")


def test_what_no_node_can_satisfy_is_refused_with_each_nodes_reason(databases: Swarm) -> None:
    unsatisfiable = ("--env", "constraint:model==quantum", "redis")
    text = databases.docker("run", "-d", "--name", "nowhere", *unsatisfiable, status=125)
    assert "model==quantum" in text
    reasons = dict(re.findall(r"^\s*([\w-]+): (constraint .*)$", text, re.MULTILINE))
    assert set(reasons) == set(ARTICLE), text
    assert reasons["backend1"].endswith('its label model is "high-memory"')
    assert reasons["frontend"].endswith("it has no label model")
    assert not [name for name in databases.names("-a") if "nowhere" in name]


def test_a_soft_wish_is_dropped_when_nobody_can_grant_it(databases: Swarm) -> None:
    container = databases.docker("run", "-d", "--rm", "--env", "constraint:model==~quantum", "busybox", "sleep", "60")
    databases.docker("rm", "-f", container)


def test_a_taken_port_sends_the_next_container_elsewhere_or_nowhere(services: Swarm) -> None:
    refused = ("-p", "80:80", "--env", "constraint:public==yes", "busybox", "true")
    assert "80" in services.docker("run", "-d", *refused, status=125)


def test_a_dead_engine_is_marked_and_the_others_go_on(undisturbed: Swarm) -> None:
    undisturbed.lab["backend1"].sync.kill()
    eventually(lambda: node_rows(undisturbed)["backend1"]["Status"] != "Healthy", 5, "backend1 is marked")
    rows = node_rows(undisturbed)
    assert [name for name in rows if rows[name]["Status"] == "Healthy"] == ["backend2", "frontend", "swarm-master"]
    assert browse(undisturbed, SERVICES[1])[0] == 200
    refused = undisturbed.docker("run", "-d", "--env", "constraint:model==high-memory", "redis", status=125)
    assert "backend1" in refused
    created = undisturbed.docker("create", "--env", "constraint:public==no", "busybox", "true")
    assert undisturbed.docker("inspect", "-f", "{{.Node.Name}}", created) in {"backend2", "swarm-master"}
    undisturbed.docker("rm", created)
    undisturbed.lab["backend1"].sync.start()
    eventually(lambda: node_rows(undisturbed)["backend1"]["Status"] == "Healthy", 10, "backend1 is back")


def test_a_killed_manager_is_replaced_and_knows_everything(undisturbed: Swarm) -> None:
    before = undisturbed.names()
    undisturbed.manager.kill()
    assert [browse(undisturbed, host)[0] for host in SERVICES] == [200, 200]
    undisturbed.manage()
    eventually(lambda: undisturbed.names() == before, 10, "the new manager lists what the old one did")
    undisturbed.docker("stop", "postgres-counter")
    eventually(lambda: browse(undisturbed, SERVICES[1])[0] == 503, 20, "nginx follows the new manager")
