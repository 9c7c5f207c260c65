"""Images that a container's node lacks: where they come from."""

from __future__ import annotations

from typing import Any

import pytest

from skep import EngineError, EngineTimeoutError, PlacementQuery, Plugin, Verdict
from skep.agent import share


async def _with_image(cluster: Any, engine: int, reference: str, *, pulled: bool) -> None:
    """An engine that has an image, from a registry or made there, and a cluster that knows it."""
    image = cluster.engines[engine].state.images[cluster.engines[engine].add_image(reference)]
    if pulled:
        image.digests.append(f"{reference.partition(':')[0]}@sha256:{'a' * 64}")
    await cluster.agent.cluster.member(f"n{engine + 1}").refresh_images()


def _has(cluster: Any, engine: int, tag: str) -> bool:
    return any(tag in image.tags for image in cluster.engines[engine].state.images.values())


async def test_one_that_was_made_here_is_not_asked_of_a_registry(start: Any) -> None:
    cluster = await start()
    await _with_image(cluster, 1, "app:1", pulled=False)
    assert (await cluster.create(Image="app:1")).node == "n2"
    assert not _has(cluster, 0, "app:1")


async def test_where_its_nodes_are_not_wanted_a_registry_is_asked_all_the_same(start: Any) -> None:
    class OnlyFirst(Plugin):
        name = "only_first"

        def filter_nodes(self, query: PlacementQuery) -> Verdict:
            return query.keep(lambda node: node.name == "n1", "it is not n1")

    cluster = await start(plugins=(OnlyFirst,))
    await _with_image(cluster, 1, "app:1", pulled=False)
    assert (await cluster.create(Image="app:1")).node == "n1"
    assert _has(cluster, 0, "app:1")


@pytest.mark.parametrize(("reference", "pulled"), [("missing/app:1", True), ("missing/app:1", False), ("app:1", False)])
async def test_images_are_shared_between_nodes(start: Any, reference: str, pulled: bool) -> None:
    cluster = await start(share_images=True)
    await _with_image(cluster, 1, reference, pulled=pulled)
    assert (await cluster.create(Image=reference)).node == "n1"
    assert _has(cluster, 0, reference)
    assert not any(image.digests for image in cluster.engines[0].state.images.values())  # no registry was asked


async def test_an_image_from_a_registry_is_asked_for_there_first(start: Any) -> None:
    cluster = await start(share_images=True)
    await _with_image(cluster, 1, "app:1", pulled=True)
    assert (await cluster.create(Image="app:1")).node == "n1"
    assert any(image.digests for image in cluster.engines[0].state.images.values())


@pytest.mark.parametrize(("node", "path"), [(0, "/images/load"), (1, "/images/missing/app:1/get")])
async def test_an_image_that_cannot_be_shared_is_told(start: Any, node: int, path: str) -> None:
    cluster = await start(share_images=True)
    await _with_image(cluster, 1, "missing/app:1", pulled=False)
    with (
        cluster.engines[node].faults.status(500, "disk on fire", path),
        pytest.raises(EngineError, match="disk on fire"),
    ):
        await share.copy_image(cluster.agent.engine("n2"), cluster.agent.engine("n1"), "missing/app:1")


async def test_copying_an_image_ends_where_nothing_moves(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "_IDLE", 0.05)
    cluster = await start()
    with (
        cluster.engines[0].faults.hang("/images/load"),
        pytest.raises(EngineTimeoutError, match="image busybox: nothing moved"),
    ):
        await share.copy_image(cluster.agent.engine("n2"), cluster.agent.engine("n1"), "busybox")
