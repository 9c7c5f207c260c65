"""The filter `affinity`: containers go near other containers, or near an image, or away from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skep import (
    Container,
    EntryLabel,
    Expression,
    Image,
    NodeSet,
    NodeState,
    PlacementQuery,
    Plugin,
    PluginSettings,
    Verdict,
    split_reference,
)

__all__ = ["AffinityPlugin", "AffinitySettings"]


class AffinitySettings(PluginSettings, frozen=True, kw_only=True):
    """How values are read."""

    swarm_globs: bool = False
    """Read a value with classic Swarm's eyes: `*` is anything, and everything else the text of a regular expression."""


class AffinityPlugin(Plugin):
    """Keeps the nodes whose containers and images every affinity of the request accepts."""

    Settings = AffinitySettings
    settings: AffinitySettings
    name = "affinity"

    def expression_kinds(self) -> Mapping[str, str]:
        """`-e affinity:…`, and the label that keeps it."""
        check = Expression.as_in_swarm if self.settings.swarm_globs else None
        return {"affinity": EntryLabel("com.docker.swarm.affinities", check=check)}

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes that fit all affinities; of a refused one the first that it does not fit is told."""
        expressions = query.expressions("affinity")
        if not expressions:
            return None
        if self.settings.swarm_globs:
            expressions = [each.as_in_swarm() for each in expressions]
        found = [(each, _found(query, each)) for each in expressions]
        kept = query.nodes
        for expression, nodes in found:
            kept = kept - nodes if expression.negated else kept & nodes

        def reason(node: NodeState) -> str:
            return _reason(next(each for each, nodes in found if (node in nodes) is each.negated), node)

        return Verdict(kept, reason, lambda: [f"affinity {each}" for each in expressions])


def _found(query: PlacementQuery, expression: Expression) -> NodeSet:
    """The nodes that hold something that the value fits."""
    if expression.key == "image":
        key = ("affinity", expression.value, expression.is_regex)
        return query.state.with_image(lambda image: any(map(expression.equals, _image_names(image))), key=key)
    if expression.key == "container":
        return query.state.with_container_like(expression)
    return query.state.with_container_label(expression)


def _fits(expression: Expression, container: Container) -> bool:
    if expression.key != "container":
        return expression.equals(container.label(expression.key) or "")
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
    what, number = ("image", len(node.images)) if expression.key == "image" else ("container", len(node.containers))
    if expression.negated:
        held = f"{_there(expression, node)} is there"
    else:
        fits = "fits" if _is_named(expression, node) else f"has the label {expression.key}"
        held = f"none of its {number} {what}s {fits}" if number else f"it holds no {what}"
    return f"affinity {expression}: {held}"


def _is_named(expression: Expression, node: NodeState) -> bool:
    """Whether what the key speaks of is there at all: a label may be one that was mistyped."""
    key = expression.key
    return key in ("image", "container") or any(each.label(key) is not None for each in node.containers.values())


def _there(expression: Expression, node: NodeState) -> str:
    """The first that the value fits, for people."""
    if expression.key == "image":
        return next((each.id for each in node.images if any(map(expression.equals, _image_names(each)))), "an image")
    found = next((each for each in node.containers.values() if _fits(expression, each)), None)
    return "a container" if found is None else f"{found.name} ({found.short_id or 'under way'})"
