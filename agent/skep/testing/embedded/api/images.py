"""Images: list, inspect, pull, import, tag, remove, save, load, commit."""

from __future__ import annotations

import asyncio
import fnmatch
import io
import json
import tarfile
import time

from aiohttp import web

from skep.testing.embedded import images, references
from skep.testing.embedded.creation import find_image
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, answer, nothing
from skep.testing.embedded.state import Image, Json

from .filters import labels_fit

routes = Routes()


@routes.add("GET", "/images/json")
async def list_(call: Call) -> Reply:
    """The rows of `docker images`, newest first."""
    filters = call.filters(("before", "dangling", "label", "reference", "since", "until"))
    if name := call.text("filter"):
        filters.setdefault("reference", []).append(name)
    found = [image for image in call.engine.state.images.values() if _fits(call, image, filters)]
    found.sort(key=lambda image: -image.created)
    return answer([images.row(image, call.version) for image in found])


def _fits(call: Call, image: Image, filters: dict[str, list[str]]) -> bool:
    dangling = filters.get("dangling", [""])[0].lower()
    if dangling and dangling not in ("true", "false", "1", "0"):
        raise EngineError(400, f"Invalid filter 'dangling={dangling}'")
    if dangling and (dangling in ("true", "1")) == bool(image.tags):
        return False
    state = call.engine.state
    if any(image.created >= find_image(state, name).created for name in filters.get("before", ())):
        return False
    if any(image.created <= find_image(state, name).created for name in filters.get("since", ())):
        return False
    wanted = filters.get("reference")
    if wanted and not any(_named(tag, pattern) for tag in image.tags for pattern in wanted):
        return False
    return labels_fit(image.config.get("Labels") or {}, filters.get("label", []))


def _named(tag: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(tag, pattern) or fnmatch.fnmatchcase(references.repository(tag), pattern)


@routes.add("GET", "/images/search")
async def search(call: Call) -> Reply:
    """No registry, no finds."""
    return answer([])


@routes.add("GET", "/images/get")
@routes.add("GET", "/images/{name:path}/get")
async def get(call: Call) -> Reply:
    """A tar that `load` understands."""
    names = [call.names["name"]] if "name" in call.names else call.request.query.getall("names", [])
    manifest = [{"Config": "", "RepoTags": find_image(call.engine.state, name).tags, "Layers": []} for name in names]
    data = json.dumps(manifest).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return Reply(200, buffer.getvalue(), "application/x-tar")


@routes.add("POST", "/images/load")
async def load(call: Call) -> Reply:
    """Take the names out of a tar that `get` made."""
    tags = await asyncio.to_thread(_saved_tags, await call.request.read())
    for tag in tags:
        call.engine.add_image(tag)
    return lines([{"stream": f"Loaded image: {tag}\n"} for tag in tags])


def _saved_tags(body: bytes) -> list[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            file = tar.extractfile("manifest.json")
            manifest = json.load(file) if file else []
        return [tag for entry in manifest for tag in entry.get("RepoTags") or ()]
    except (tarfile.TarError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise EngineError(500, f"Error processing tar file(exit status 1): {error}") from None


@routes.add("GET", "/images/{name:path}/json")
async def inspect(call: Call) -> Reply:
    """All about one image."""
    name = call.names["name"]
    try:
        image = find_image(call.engine.state, name)
    except EngineError as error:
        raise EngineError(404, f"no such image: {name}: {error.message}") from None
    return answer(images.inspection(image, call.version))


@routes.add("GET", "/images/{name:path}/history")
async def history(call: Call) -> Reply:
    """Its layers."""
    state = call.engine.state
    return answer(images.history(state, find_image(state, call.names["name"])))


@routes.add("POST", "/images/create")
async def create(call: Call) -> Reply | web.StreamResponse:
    """Pull, or import from the request's body. Names beginning with ``missing`` are in no registry."""
    body = await call.request.read()
    if source := call.text("fromSrc"):
        return _import(call, source, body)
    name, tag = call.text("fromImage"), call.text("tag")
    if not tag:
        tag = references.tag(name)
        name = references.repository(name)
    reference = f"{name}@{tag}" if ":" in tag else images.check_reference(name, tag)
    short = references.repository(references.normal(reference))
    if short.startswith("missing"):
        why = "repository does not exist or may require 'docker login'"
        denied = "denied: requested access to the resource is denied"
        raise EngineError(404, f"pull access denied for {short}, {why}: {denied}")
    return lines(_pull(call, short, tag, references.normal(reference)))


def _pull(call: Call, name: str, tag: str, reference: str) -> list[Json]:
    state = call.engine.state
    known = any(reference in image.tags for image in state.images.values())
    official = name if "/" in name else f"library/{name}"
    digest = references.image_id(f"digest of {reference}")
    report: list[Json] = [{"status": f"Pulling from {official}", "id": tag}]
    if not known:
        layer = digest[7:19]
        pulled = call.engine.state.images[call.engine.add_image(reference)]
        pulled.digests.append(f"{name}@{digest}")
        size = 1_982_256
        for done in (0, size // 2, size):
            detail = {"current": done, "total": size}
            report.append({"status": "Downloading", "progressDetail": detail, "progress": "[>  ]", "id": layer})
        report[1:2] = [{"status": "Pulling fs layer", "progressDetail": {}, "id": layer}]
        report += [
            {"status": word, "progressDetail": {}, "id": layer} for word in ("Download complete", "Pull complete")
        ]
    news = "Image is up to date for" if known else "Downloaded newer image for"
    report += [{"status": f"Digest: {digest}"}, {"status": f"Status: {news} {reference}"}]
    state.events.emit("image", "pull", reference, {"name": name})
    return report


def _import(call: Call, source: str, body: bytes) -> Reply:
    if source != "-":
        raise EngineError(400, f"the embedded engine imports from the request's body only, not from {source}")
    state = call.engine.state
    config: Json = {}
    for change in call.request.query.getall("changes", []):
        word, _, rest = change.partition(" ")
        if word.upper() == "CMD":
            config["Cmd"] = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]
    image = Image(
        references.image_id(str(time.time_ns())),
        [],
        config,
        time.time_ns(),
        len(body),
        comment="Imported from -",
    )
    images.add(state, image)
    if repository := call.text("repo"):
        tag = call.text("tag") or references.tag(repository)
        images.tag(state, image.id, images.check_reference(references.repository(repository), tag))
    state.events.emit("image", "import", image.id, {"name": image.id})
    return lines([{"status": image.id}])


@routes.add("POST", "/images/{name:path}/tag")
async def tag_(call: Call) -> Reply:
    """Give it another name."""
    name = images.check_reference(call.text("repo"), call.text("tag") or "latest")
    images.tag(call.engine.state, call.names["name"], name)
    return nothing(201)


@routes.add("POST", "/images/{name:path}/push")
async def push(call: Call) -> Reply:
    """Every registry takes it."""
    image = find_image(call.engine.state, call.names["name"])
    name, tag = references.repository(call.names["name"]), call.text("tag") or "latest"
    digest = references.image_id(f"digest of {image.id}")
    call.engine.state.events.emit("image", "push", f"{name}:{tag}", {"name": name})
    return lines(
        [
            {"status": f"The push refers to repository [docker.io/{name}]"},
            {"status": "Pushed", "progressDetail": {}, "id": digest[7:19]},
            {"status": f"{tag}: digest: {digest} size: 527"},
        ]
    )


@routes.add("DELETE", "/images/{name:path}")
async def remove(call: Call) -> Reply:
    """Untag, and delete when that was its last name."""
    return answer(images.remove(call.engine.state, call.names["name"], force=call.flag("force")))


@routes.add("POST", "/images/prune")
async def prune(call: Call) -> Reply:
    """Delete what has no name, and with `dangling=false` all that no container uses."""
    dangling = call.filters(("dangling", "label", "label!", "until")).get("dangling", ["true"])[0]
    state = call.engine.state
    used = {container.image_id for container in state.containers.values()}
    report: list[Json] = []
    for image in list(state.images.values()):
        if image.id not in used and (not image.tags or dangling in ("false", "0")):
            report += images.remove(state, image.id, force=True)
    state.events.emit("image", "prune", "", {"reclaimed": "0"})
    return answer({"ImagesDeleted": report or None, "SpaceReclaimed": 0})


@routes.add("POST", "/commit")
async def commit(call: Call) -> Reply:
    """Make an image of a container."""
    state = call.engine.state
    container = state.container(call.text("container"))
    base = state.images[container.image_id]
    changes = await call.json(required=False)
    given = {key: value for key, value in changes.items() if value not in (None, "", [], {}, False)}
    config = {key: value for key, value in container.config.items() if key not in ("Hostname", "Image")} | given
    image = images.committed(state, base, config, call.text("comment"), container.id)
    name = ""
    if repository := call.text("repo"):
        name = images.check_reference(repository, call.text("tag") or "latest")
        images.tag(state, image.id, name)
    state.emit_container(container, "commit", comment=call.text("comment"), imageID=image.id, imageRef=name)
    return answer({"Id": image.id}, 201)


def lines(rows: list[Json]) -> Reply:
    """Progress: one JSON object a line."""
    return Reply(200, b"".join(answer(row).body.rstrip(b"\n") + b"\r\n" for row in rows))
