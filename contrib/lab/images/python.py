"""Python, as it runs this very process, and the counter service on it."""

from contrib.lab.images.tree import Tree


def python(tree: Tree) -> tuple[str, ...]:
    raise NotImplementedError


def counter(tree: Tree) -> tuple[str, ...]:
    raise NotImplementedError
