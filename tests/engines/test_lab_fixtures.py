"""The fixtures hand over engines as new, whatever the test before did to them."""

import pytest

from contrib.lab import ARTICLE, Host, Lab


@pytest.mark.parametrize("attempt", [1, 2])
async def test_engine_comes_as_new(engine: Host, attempt: int) -> None:
    assert await engine.docker("ps", "-aq") == ""
    await engine.docker("run", "-d", "--name", "left-over", "-v", "/data", "busybox", "sleep", "1000")
    await engine.docker("network", "create", "left-over")
    await engine.kill()


@pytest.mark.parametrize("fault", ["cut", "freeze", "kill"])
async def test_cluster_lab_is_the_articles(cluster_lab: Lab, fault: str) -> None:
    for name, host in cluster_lab.hosts.items():
        assert await host.state() == "up"
        assert await host.docker("info", "--format", "{{.Name}}") == name
        labels = await host.docker("info", "--format", "{{range .Labels}}{{.}} {{end}}")
        assert set(labels.split()) == {f"{key}={value}" for key, value in ARTICLE[name].items()}
    await getattr(cluster_lab["backend1"], fault)()
