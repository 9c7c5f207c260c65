"""Having what was built on one node on all of them: saved there once, and loaded at all others at the same time, as a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec

from skep import Agent, SkepError
from skep_docker_api.fanout import Branch, fan_out
from skep_docker_api.image_names import normal_name
from skep_docker_api.nodes import healthy_nodes
from skep_docker_api.progress import json_lines, raise_for_error, raise_for_status
from skep_docker_api.refreshing import refresh_list

__all__ = ["names_on", "spread"]

_log = logging.getLogger("skep.plugins.docker_api")


def names_on(agent: Agent, node: str) -> dict[str, str]:
    """The names of a node's images, with the images' ids."""
    known = agent.cluster.state.get_node(node)
    return {tag: image.id for image in (known.images if known else ()) for tag in image.tags}


async def spread(agent: Agent, node: str, names: Iterable[str]) -> bytes:
    """Copy a node's images to all others that answer; what became of it as lines for a build's stream, b"" where there is nothing to do.

    Names that the node does not have are passed over. A failure is logged and told; the image is still where it was built.
    """
    found = sorted({normal_name(name) for name in names} & names_on(agent, node).keys())
    targets = [each.name for each in healthy_nodes(agent) if each.name != node]
    if not found or not targets:
        return b""
    errors = await _copy(agent, node, found, targets)
    loaded = [name for name in targets if name not in errors]
    texts = [f"Loaded {', '.join(found)} on {', '.join(loaded)}"] if loaded else []
    for target, error in errors.items():
        _log.warning("%s was built on node %s and not loaded on node %s: %s", ", ".join(found), node, target, error)
        texts.append(f"Not loaded on {target}: {error}")
    return b"".join(msgspec.json.encode({"stream": f"{text}\n"}) + b"\r\n" for text in texts)


async def _copy(agent: Agent, node: str, names: list[str], targets: list[str]) -> dict[str, str]:
    """Save and load; the nodes that failed, and why."""
    errors: dict[str, str] = {}
    branches = {target: Branch(target) for target in targets}

    async def load(target: str) -> None:
        branch, headers = branches[target], {"Content-Type": "application/x-tar"}
        query = {"quiet": True}
        try:
            engine = agent.cluster.engine(target)
            async with engine.stream("POST", "/images/load", query=query, headers=headers, data=branch) as answer:
                await raise_for_status(answer)
                async for line in json_lines(answer):
                    raise_for_error(line)
            await refresh_list(agent, target, "images")
        except SkepError as error:
            errors[target] = str(error)
        finally:
            branch.close()

    try:
        query = urlencode([("names", name) for name in names])
        async with agent.cluster.engine(node).stream("GET", "/images/get", query=query) as saved:
            await raise_for_status(saved)
            async with asyncio.TaskGroup() as group:
                for target in targets:
                    group.create_task(load(target), name=f"load {', '.join(names)} on {target}")
                await fan_out(saved.content.iter_any(), branches.values())
    except SkepError as error:
        return dict.fromkeys(targets, str(error))
    return {target: errors[target] for target in targets if target in errors}
