"""`AgentClient`: asks a running agent, over its own HTTP server. For commands: synchronous, and quick to import."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from skep.errors import NotFoundError, RequestError, SettingsError, SkepError, TemporaryError

__all__ = ["DEFAULT_AGENTS", "START", "AgentClient"]

DEFAULT_AGENTS = ("unix:///run/skep.sock", "tcp://127.0.0.1:7070")
"""Where an agent is looked for when nothing names it, in order."""

START = "start one (skep run, manage or demo), or name it: --agent URL"
"""What to do where no agent answers."""

T = TypeVar("T")
_EVERY_AGENT_KNOWS = ("/health", "/nodes", "/containers", "/plugins", "/events", "/explain", "/decisions")
_MOST_BYTES = 256 * 2**20
_PAUSE = 0.1  # seconds between two questions of those that wait


class AgentClient:
    """Asks a running agent. Nothing is connected before the first question.

    url: `unix:///path`, `tcp://host:port` or `http(s)://host:port`; "" is the environment's SKEP_AGENT, else `DEFAULT_AGENTS`.
    timeout: seconds for each answer (streams: until they begin).
    start: what to do where none answers.

    For https the environment may name PEM files: SKEP_AGENT_CA, and SKEP_AGENT_CERT with SKEP_AGENT_KEY.
    All questions raise TemporaryError where no agent answers, RequestError with the agent's words where it refuses.
    """

    def __init__(self, url: str = "", *, timeout: float = 30.0, start: str = START) -> None:
        url = url or os.environ.get("SKEP_AGENT", "")
        self.named = bool(url)
        """Whether an address was given, by argument or environment."""
        self.timeout = timeout
        self._start = start
        self._answered = ""
        self._places = [_Place.parse(each) for each in ([url] if url else DEFAULT_AGENTS)]

    @property
    def address(self) -> str:
        """Where it asks: the place that answered last, else those that it would try."""
        return self._answered or " or ".join(place.text for place in self._places)

    def get(self, path: str, *, accept: tuple[int, ...] = (), **query: str) -> Any:
        """Ask `GET path`; returns the decoded JSON. `accept` are error statuses whose answer is wanted too."""
        return _decoded(self._ask("GET", path, query, accept=accept), path)

    def read(self, path: str) -> bytes:
        """Ask `GET path`; returns the answer's body as it is."""
        return self._ask("GET", path, {})

    def post(self, path: str, body: bytes = b"", **query: str) -> bytes:
        """Ask `POST path`; returns the answer's body."""
        return self._ask("POST", path, query, body)

    def post_json(self, path: str, body: object, **query: str) -> Any:
        """Ask `POST path` with `body` as JSON; returns the decoded JSON."""
        return _decoded(self.post(path, json.dumps(body).encode(), **query), path)

    def lines(self, path: str, **query: str) -> Iterator[Any]:
        """Ask `GET path`, and yield each line of the answer, decoded, as it comes. It may never end."""
        connection, response = self._open("GET", path, query)
        if connection.sock is not None:
            connection.sock.settimeout(None)
        try:
            while line := response.readline(_MOST_BYTES):
                if line.strip():
                    yield _decoded(line, path)
        except (OSError, http.client.HTTPException) as error:
            raise TemporaryError(f"the agent is gone: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def get_until(
        self, path: str, right: Callable[[Any], bool], seconds: float, *, accept: tuple[int, ...] = (), **query: str
    ) -> Any:
        """Ask `get` again and again until its answer is right, or for so many seconds; returns the last answer.

        Until then it is no matter if no agent answers; afterwards it raises as `get` does.
        """
        return _until(lambda: self.get(path, accept=accept, **query), right, seconds)

    def post_when_up(self, path: str, seconds: float) -> bytes:
        """As `post`; for so many seconds it is no matter if nothing answers yet."""
        return _until(lambda: self.post(path), lambda _: True, seconds)

    def _ask(
        self, method: str, path: str, query: dict[str, str], body: bytes | None = None, accept: tuple[int, ...] = ()
    ) -> bytes:
        connection, response = self._open(method, path, query, body, accept)
        try:
            return _read(response)
        except (OSError, http.client.HTTPException) as error:
            raise TemporaryError(f"the agent broke its answer off: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _open(
        self, method: str, path: str, query: dict[str, str], body: bytes | None = None, accept: tuple[int, ...] = ()
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection, place = self._connect()
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            if response.status < 400 or response.status in accept:
                return connection, response
            if response.status == 404 and path in _EVERY_AGENT_KNOWS:
                response.close()
                raise TemporaryError(
                    f"what listens at {place.text} is no agent: it does not know {path}; {self._start}"
                )
            raise _refusal(response, path)
        except TimeoutError:
            connection.close()
            raise TemporaryError(f"the agent at {place.text} does not answer within {self.timeout:.0f} s") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            reason = str(error) or type(error).__name__
            raise TemporaryError(f"what listens at {place.text} is no agent: {reason}") from None
        except SkepError:
            connection.close()
            raise

    def _connect(self) -> tuple[http.client.HTTPConnection, _Place]:
        failures = []
        for place in self._places:
            connection = place.connection(self.timeout)
            try:
                connection.connect()
            except (OSError, ssl.SSLError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                failures.append(f"{place.text}: {reason}")
                connection.close()
            else:
                self._answered = place.text
                return connection, place
        raise TemporaryError(f"no agent answers ({'; '.join(failures)}); {self._start}")


def _until(ask: Callable[[], T], right: Callable[[T], bool], seconds: float) -> T:
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= end
        try:
            answer = ask()
            if late or right(answer):
                return answer
        except TemporaryError:
            if late:
                raise
        time.sleep(_PAUSE)


@dataclass(frozen=True, slots=True)
class _Place:
    text: str
    path: str = ""
    host: str = ""
    port: int = 0
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> _Place:
        if text.startswith("unix:///"):
            return cls(text, path=text.removeprefix("unix://"))
        try:
            parts = urlsplit(text if "://" in text else f"tcp://{text}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingsError(f"address of an agent {text!r}: {error}") from None
        if parts.scheme not in ("tcp", "http", "https") or not host or parts.path not in ("", "/"):
            raise SettingsError(
                f"address of an agent {text!r}: expected unix:///path, tcp://host:port or https://host:port"
            )
        return cls(text, host=host, port=port or 7070, secure=parts.scheme == "https")

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        if self.path:
            return _UnixConnection(self.path, timeout)
        if self.secure:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=_tls())
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _tls() -> ssl.SSLContext:
    ca, cert, key = (os.environ.get(f"SKEP_AGENT_{name}") or None for name in ("CA", "CERT", "KEY"))
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key)
    except OSError as error:
        files = ", ".join(str(Path(each)) for each in (ca, cert, key) if each)
        raise SettingsError(f"cannot use the certificates {files}: {error.strerror or error}") from None
    return context


def _read(response: http.client.HTTPResponse) -> bytes:
    answer = response.read(_MOST_BYTES + 1)
    if len(answer) > _MOST_BYTES:
        raise TemporaryError(f"the answer has more than {_MOST_BYTES} bytes")
    if response.length:
        raise http.client.IncompleteRead(answer, response.length)
    return answer


def _decoded(answer: bytes, path: str) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise TemporaryError(f"{path}: the answer is not JSON; is that an agent?") from None


def _refusal(response: http.client.HTTPResponse, path: str) -> RequestError:
    try:
        message = json.loads(_read(response))["message"]
    except (ValueError, KeyError, TypeError, RecursionError, http.client.HTTPException):
        message = f"{path}: status {response.status}"
    if response.status == 404:
        return NotFoundError(str(message))
    return RequestError(str(message), status=response.status)
