"""The filter `affinity`: containers go near other containers, or near an image, or away from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skep import Container, Expression, Image, NodeSet, NodeState, PlacementQuery, Plugin, Verdict, split_reference

__all__ = ["AffinityPlugin"]


class AffinityPlugin(Plugin):
    """Keeps the nodes whose containers and images every affinity of the request accepts."""

    name = "affinity"

    def expression_kinds(self) -> Mapping[str, str]:
        """`-e affinity:…`, and the label that keeps it."""
        return {"affinity": "com.docker.swarm.affinities"}

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes that fit all affinities; of a refused one the first that it does not fit is told."""
        expressions = query.expressions("affinity")
        if not expressions:
            return None
        kept = query.nodes
        for expression in expressions:
            found = _found(query, expression)
            kept = kept - found if expression.negated else kept & found

        def reason(node: NodeState) -> str:
            return next(filter(None, (_reason(each, node) for each in expressions)))

        return Verdict(kept, reason, lambda: [f"affinity {each}" for each in expressions])


def _found(query: PlacementQuery, expression: Expression) -> NodeSet:
    """The nodes that hold something that the value fits."""
    if expression.key == "image":
        return query.state.with_image(lambda image: any(map(expression.equals, _image_names(image))))
    return query.state.with_container(
        lambda container: _fits(expression, container), key=("affinity", expression.key, expression.value)
    )


def _fits(expression: Expression, container: Container) -> bool:
    if expression.key != "container":
        return expression.equals(container.labels.get(expression.key, ""))
    return (
        (container.name != "" and expression.equals(container.name))
        or (container.id != "" and expression.equals(container.id))
        or (expression.pattern is None and expression.value == container.short_id)
    )


def _image_names(image: Image) -> Iterator[str]:
    yield image.id
    yield from image.tags
    yield from (split_reference(tag)[0] for tag in image.tags)
    yield from image.digests


def _reason(expression: Expression, node: NodeState) -> str:
    """Why the node does not fit; "" where it does."""
    found: list[str]
    if expression.key == "image":
        found = [image.id for image in node.images if any(map(expression.equals, _image_names(image)))]
        held = f"none of its {len(node.images)} images fits" if node.images else "it holds no image"
    else:
        found = [_shown(each) for each in node.containers.values() if _fits(expression, each)]
        held = f"none of its {len(node.containers)} containers fits" if node.containers else "it holds no container"
    if bool(found) is not expression.negated:
        return ""
    return f"affinity {expression}: {f'{found[0]} is there' if expression.negated else held}"


def _shown(container: Container) -> str:
    return f"{container.name} ({container.short_id or 'under way'})"
