"""`build`: reads a Dockerfile and makes an image of what it says, running nothing."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shlex
import tarfile
from dataclasses import dataclass, field

import msgspec

from skep.testing.embedded import images, references
from skep.testing.embedded.creation import find_image
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, answer
from skep.testing.embedded.state import Image, Json

from .buildkit import CONTEXT, context_of, put_context
from .images import lines

routes = Routes()
_KNOWN = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip


@dataclass(slots=True)
class _Build:
    """The image as it grows."""

    base: Image
    config: Json
    arguments: dict[str, str] = field(default_factory=dict)

    def expand(self, text: str) -> str:
        """Put in `$NAME` and `${NAME}` from arguments and environment."""
        known = self.arguments | dict(entry.split("=", 1) for entry in self.config.get("Env") or ())
        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: known.get(match[1] or match[2], ""), text)

    def apply(self, word: str, rest: str) -> None:
        """One instruction; those that only change files change nothing here."""
        match word:
            case "CMD" | "ENTRYPOINT":
                self.config[word.capitalize()] = _argv(rest)
            case "ENV":
                pairs = _pairs(self.expand(rest))
                kept = [e for e in self.config.get("Env") or () if e.partition("=")[0] not in pairs]
                self.config["Env"] = kept + [f"{key}={value}" for key, value in pairs.items()]
            case "LABEL":
                self.config["Labels"] = {**(self.config.get("Labels") or {}), **_pairs(self.expand(rest))}
            case "EXPOSE":
                ports: Json = {port if "/" in port else f"{port}/tcp": {} for port in self.expand(rest).split()}
                self.config["ExposedPorts"] = {**(self.config.get("ExposedPorts") or {}), **ports}
            case "WORKDIR":
                self.config["WorkingDir"] = self.expand(rest)
            case "USER":
                self.config["User"] = self.expand(rest)
            case "ARG":
                name, _, value = rest.partition("=")
                self.arguments.setdefault(name, value)
            case "VOLUME":
                paths = json.loads(rest) if rest.startswith("[") else rest.split()
                self.config["Volumes"] = {
                    **(self.config.get("Volumes") or {}),
                    **{path: {} for path in paths},
                }


@routes.add("POST", "/build")
async def build(call: Call) -> Reply:
    """Build from a tar in the body; the classic builder's stream of steps, by BuildKit too."""
    name = call.text("dockerfile") or "Dockerfile"
    if (id_ := call.text("buildid")).startswith(CONTEXT):
        return await put_context(call, id_.removeprefix(CONTEXT))
    body = await context_of(call) if call.text("version") == "2" else await call.request.read()
    from_session = call.text("remote") == "client-session"
    steps = [("FROM", "scratch")] if from_session else await asyncio.to_thread(_read, body, name)
    report: list[Json] = []
    try:
        image = _run(call, steps, report)
    except EngineError as error:
        report.append({"errorDetail": {"message": error.message}, "error": error.message})
        return lines(report)
    report += [{"aux": {"ID": image.id}}, {"stream": f"Successfully built {image.id[7:19]}\n"}]
    for name in call.request.query.getall("t", []):
        full = images.check_reference(references.repository(name), references.tag(name))
        images.tag(call.engine.state, image.id, full)
        report.append({"stream": f"Successfully tagged {full}\n"})
    if call.flag("q"):
        return lines([{"stream": f"{image.id}\n"}])
    return lines(report)


@routes.add("POST", "/build/prune")
async def prune(call: Call) -> Reply:
    """There is no cache."""
    return answer({"CachesDeleted": None, "SpaceReclaimed": 0})


def _read(body: bytes, name: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions. Raises EngineError for a context or a Dockerfile that cannot be read."""
    try:
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            files = {entry.name.removeprefix("./"): entry for entry in tar.getmembers() if entry.isfile()}
            if name not in files:
                raise EngineError(500, f"Cannot locate specified Dockerfile: {name}")
            file = tar.extractfile(files[name])
            text = file.read().decode() if file else ""
    except (tarfile.TarError, UnicodeDecodeError) as error:
        raise EngineError(500, f"Error processing tar file(exit status 1): {error}") from None
    steps = []
    for number, line in enumerate(text.replace("\\\n", " ").splitlines(), 1):
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word.upper() not in _KNOWN:
            raise EngineError(400, f"dockerfile parse error line {number}: unknown instruction: {word.upper()}")
        steps.append((word.upper(), rest.strip()))
    if not steps:
        raise EngineError(500, f"the Dockerfile ({name}) cannot be empty")
    if steps[0][0] not in ("FROM", "ARG"):
        raise EngineError(400, "No build stage in current context")
    return steps


def _run(call: Call, steps: list[tuple[str, str]], report: list[Json]) -> Image:
    given = _json(call, "buildargs")
    current: _Build | None = None
    for number, (word, rest) in enumerate(steps, 1):
        report.append({"stream": f"Step {number}/{len(steps)} : {word} {rest}"})
        report.append({"stream": "\n"})
        if word == "FROM":
            current = _from(call, rest.split()[0], given)
        elif current is not None:
            current.apply(word, rest)
        layer = references.image_id(f"{number} {steps[:number]}")[7:19]
        if word == "RUN":
            report.append({"stream": f" ---> Running in {layer[::-1]}\n"})
        report.append({"stream": f" ---> {layer}\n"})
    if current is None:
        raise EngineError(400, "No build stage in current context")
    current.config["Labels"] = {**(current.config.get("Labels") or {}), **_json(call, "labels")} or None
    return images.committed(call.engine.state, current.base, current.config, "", str(steps))


def _from(call: Call, name: str, arguments: dict[str, str]) -> _Build:
    state = call.engine.state
    try:
        base = find_image(state, name)
    except EngineError:
        if name.startswith("missing"):
            why = "repository does not exist or may require 'docker login'"
            raise EngineError(404, f"pull access denied for {name}, {why}") from None
        call.engine.add_image(name)
        base = find_image(state, name)
    return _Build(base, {**base.config}, dict(arguments))


def _json(call: Call, name: str) -> dict[str, str]:
    try:
        found = msgspec.json.decode(call.text(name) or "{}", type=dict[str, str | None])
    except msgspec.DecodeError as error:
        raise EngineError(400, f"error reading {name}: {error}") from None
    return {key: value or "" for key, value in found.items()}


def _argv(rest: str) -> list[str]:
    if rest.startswith("["):
        try:
            return msgspec.json.decode(rest, type=list[str])
        except msgspec.DecodeError:
            pass
    return ["/bin/sh", "-c", rest]


def _pairs(rest: str) -> dict[str, str]:
    """``a=b c="d e"``, or the old ``a b``."""
    words = shlex.split(rest)
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    return dict(word.split("=", 1) for word in words if "=" in word)
