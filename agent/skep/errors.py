"""The tree of errors that skep raises.

::

    SkepError                     shown to the user as it is; never a traceback
    ├── SettingsError             a setting is wrong; the agent does not start
    ├── PluginError               a plugin cannot be found, imported, configured or started
    ├── ExpressionError           a constraint or an affinity cannot be parsed
    ├── RequestError              a request is refused; carries the HTTP status to answer with
    │   ├── PropertyError         400: a property of a lookup is missing or wrong
    │   ├── DeniedError           403: we may not ask
    │   ├── NotFoundError         404
    │   ├── ConflictError         409
    │   │   └── AmbiguousError        several have the name; lists them
    │   └── PlacementError        no node fits (see skep.scheduler); carries the explanation
    ├── EngineError               an engine answered with an error; carries its status and message
    └── TemporaryError            try again later; the core does so by itself, with back-off
        ├── NotReadyError             what was looked up is there, but has no values yet
        ├── EngineUnreachableError    no connection to the engine, or it broke
        └── EngineTimeoutError        the engine took the connection and did not answer in time

Every message names what was wrong and, where it can, what would be right. What the core does next follows from the class:
a `TemporaryError` is retried, everything else is reported once.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AmbiguousError",
    "ConflictError",
    "DeniedError",
    "EngineError",
    "EngineProtocolError",
    "EngineTimeoutError",
    "EngineUnreachableError",
    "ExpressionError",
    "NotFoundError",
    "NotReadyError",
    "PluginError",
    "PropertyError",
    "RequestError",
    "SettingsError",
    "SkepError",
    "TemporaryError",
]

_SHOWN = 80  # characters of an expression that an error repeats


class SkepError(Exception):
    """The root of all errors that skep raises; its text is meant for an operator."""


class SettingsError(SkepError):
    """A setting is wrong: the text names file, key and what would be right. The agent does not start."""


class PluginError(SkepError):
    """A plugin cannot be found, imported, configured or started; the text begins with its name."""


class ExpressionError(SkepError):
    """A constraint, affinity or similar expression cannot be parsed.

    `expression` is the whole text, `position` the offset in it (characters, from 0) where it went wrong, `expected` what
    would be right there. `kind` is what it was meant for (`constraint`), `where` where it stands (`environment entry 2`). The message
    ends with the text once more, and a caret below the place.
    """

    def __init__(
        self, expression: str, position: int, expected: str, *, kind: str = "expression", where: str = ""
    ) -> None:
        self.expression = expression
        self.position = position
        self.expected = expected
        self.kind = kind
        shown = expression if len(expression) <= _SHOWN else f"{expression[: _SHOWN - 3]}..."
        place = f" ({where})" if where else ""
        super().__init__(
            f"invalid {kind} {shown!r}{place}, at character {position + 1}: expected {expected}\n"
            f"{_pointed_at(expression, position)}"
        )

    def found_in(self, kind: str, where: str) -> ExpressionError:
        """The same error, saying where the expression stands."""
        return ExpressionError(self.expression, self.position, self.expected, kind=kind, where=where)


def _pointed_at(text: str, position: int) -> str:
    """The place and what is around it, with a caret on a second line; what cannot be printed as a question mark."""
    start = max(0, position - _SHOWN // 2)
    around = text[start : start + _SHOWN]
    printable = "".join(each if " " <= each <= "~" else "?" for each in around)
    return f"  {printable}\n  {' ' * (position - start)}^"


class RequestError(SkepError):
    """A request is refused. `status` is the HTTP status that a Docker API client is answered with (400 unless said)."""

    status = 400

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class NotFoundError(RequestError):
    """Nothing has the name that was asked for."""

    status = 404


class ConflictError(RequestError):
    """The request contradicts the state: a name is taken, a name is ambiguous."""

    status = 409


class AmbiguousError(ConflictError):
    """Several things have the name that was looked up. `candidates` are they, as text that tells one from another."""

    def __init__(self, message: str, candidates: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class PropertyError(RequestError):
    """A property of a lookup is missing, unknown or wrong; the text names it and what would be right."""


class DeniedError(RequestError):
    """The credentials do not allow what was asked; the text names the action."""

    status = 403


class EngineError(SkepError):
    """An engine answered with an error status. `status` is that status, `message` the engine's own text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class EngineProtocolError(EngineError):
    """An engine answered with something that is not the Engine API: broken JSON, wrong types, endless lines."""

    def __init__(self, message: str) -> None:
        super().__init__(502, message)


class TemporaryError(SkepError):
    """Something is away for now; the core tries again by itself. `delay` is a wish, in seconds, for when (None: as usual)."""

    def __init__(self, message: str, *, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class NotReadyError(TemporaryError):
    """What was looked up is there, but has no values yet, or only old ones: it is being made or changed."""


class EngineUnreachableError(TemporaryError):
    """There is no connection to an engine, or it broke before the answer was complete.

    `sent`: whether the engine may have got the request; False where no connection stood, so that nothing can have happened.
    """

    def __init__(self, message: str, *, delay: float | None = None, sent: bool = True) -> None:
        super().__init__(message, delay=delay)
        self.sent = sent


class EngineTimeoutError(TemporaryError):
    """An engine accepted a request and did not answer before the deadline."""
