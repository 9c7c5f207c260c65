"""Any text is an expression that means what a plain reading of it says, or is refused with the place."""

from __future__ import annotations

from skep.errors import ExpressionError
from skep.expressions import Expression, parse_expression

__all__ = ["EXAMPLES", "WORDS", "check"]

WORDS = [
    b"==",
    b"!=",
    b"~",
    b"/",
    b"*",
    b"node",
    b"(?i)",
    b"\\pL",
    b"[^",
    b"]",
    b"(",
    b")*",
    b"\0",
    b"^",
    b"$",
    b"|",
    b"**",
]
EXAMPLES = [
    b"node==n1\0n1\0n2",
    b"node!=~n*1*\0n11",
    b"disk==/^(a|b)+$/\0ab",
    b"image==app@sha256:ab,cd\0app",
    b"a1==**a**\0aaa",
    b"key=/x/",
]


def check(data: bytes) -> None:
    """An expression, and candidates, with NUL between them."""
    text, *candidates = data.decode("utf-8", "surrogateescape").split("\0")
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        _check_refusal(error, text)
        return
    operator = "!=" if expression.negated else "=="
    rendered = f"{expression.key}{operator}{'~' if expression.soft else ''}{expression.value}"
    assert rendered == text == str(expression), rendered
    assert parse_expression(rendered) == expression
    for candidate in ["", expression.value, *candidates]:
        _check_match(expression, candidate)
    assert expression.accepts([]) is expression.negated
    assert expression.accepts(candidates) is (any(map(expression.equals, candidates)) is not expression.negated)


def _check_refusal(error: ExpressionError, text: str) -> None:
    assert error.expression == text
    assert 0 <= error.position <= len(text), error.position
    assert "expected" in str(error)
    assert len(str(error)) < 1000


def _check_match(expression: Expression, candidate: str) -> None:
    matched = expression.equals(candidate)
    if not expression.is_regex:
        assert matched is glob_matches(expression.value, candidate), (expression.value, candidate)
    try:
        as_in_swarm = expression.as_in_swarm()
    except ExpressionError as error:
        _check_refusal(error, expression.text)
        return
    swarm_matched = as_in_swarm.equals(candidate)
    if candidate.isprintable() and not set(expression.value) & set("\\.+?()[]^$|"):
        assert swarm_matched is matched, (expression.value, candidate)


def glob_matches(glob: str, text: str) -> bool:
    """Whether a glob fits the text, one character at a time: `reached` are the places of the glob that can be reached so far."""
    reached = {0}
    for character in (*text, None):
        stack = list(reached)
        while stack:  # a star may stand for nothing
            at = stack.pop()
            if at < len(glob) and glob[at] == "*" and at + 1 not in reached:
                reached.add(at + 1)
                stack.append(at + 1)
        if character is None:
            break
        stars = {at for at in reached if at < len(glob) and glob[at] == "*"}
        reached = stars | {at + 1 for at in reached if at < len(glob) and glob[at] == character and glob[at] != "*"}
        if not reached:
            return False
    return len(glob) in reached
