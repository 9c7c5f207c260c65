"""The command line of the lab."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from contrib.lab import packages
from contrib.lab.article import ARTICLE
from contrib.lab.errors import LabError
from contrib.lab.images import NAMES
from contrib.lab.sync import GOING, SyncHost, SyncLab

_Command = Callable[[SyncLab, argparse.Namespace], int | None]
_FAULTS: dict[str, tuple[Callable[[SyncHost], None], str]] = {
    "start": (SyncHost.start, "start the engine"),
    "stop": (SyncHost.stop, "stop the engine as a shutdown does"),
    "restart": (SyncHost.restart, "stop the engine, if it runs, and start it"),
    "kill": (SyncHost.kill, "kill dockerd (SIGKILL)"),
    "freeze": (SyncHost.freeze, "stop dockerd in its tracks (SIGSTOP)"),
    "thaw": (SyncHost.thaw, "let a frozen dockerd go on"),
    "cut": (SyncHost.cut, "pull the network cable"),
    "heal": (SyncHost.heal, "put the network cable back"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 1 after an error, which is told on stderr."""
    options = _parser().parse_args(argv)
    try:
        lab = SyncLab(options.lab)
        return options.command(lab, options) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab", description="Real Docker Engines, each on a host of its own, on one Linux machine."
    )
    parser.add_argument("--lab", default="lab", metavar="NAME", help="which lab (default: %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: _Command, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(command=function)
        return made

    up = command("up", _up, "bring up hosts; a lab that is up gets those that it lacks")
    up.add_argument("names", nargs="*", metavar="NAME", help="a host; without any: --article")
    up.add_argument("--article", action="store_true", help=f"the article's hosts: {', '.join(ARTICLE)}")
    up.add_argument("--label", action="append", default=[], metavar="NAME:KEY=VALUE", help="an engine's label")
    up.add_argument("--image", action="append", metavar="IMAGE", help="load this image (default: busybox)")
    up.add_argument("--engine-dir", type=Path, metavar="DIR", help="take dockerd from there (fetch-engine)")

    command("ls", _ls, "list the hosts").add_argument("--json", action="store_true", help="as JSON")
    command("env", _env, "print what points docker at a host, for eval").add_argument("name", metavar="NAME")
    command("images", _images, "load images into every engine").add_argument(
        "names", nargs="*", metavar="IMAGE", help=f"default: all of {', '.join(NAMES)}"
    )
    for name, (action, text) in _FAULTS.items():
        fault = command(name, _fault, text)
        fault.add_argument("names", nargs="+", metavar="NAME")
        fault.set_defaults(action=action)
    inside = command("exec", _exec, "run a program on a host, outside of containers")
    inside.add_argument("name", metavar="NAME")
    inside.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    down = command("down", _down, "end everything and remove everything")
    down.add_argument("--all", action="store_true", help="every lab, also those of tests that were killed")
    missing = command("missing", _missing, "name the Debian packages that are missing; status 1 when any is")
    missing.add_argument("--install", action="store_true", help="install them by apt")
    fetch = command("fetch-engine", _fetch_engine, "unpack the engine of another Debian release")
    fetch.add_argument("release", help="for example trixie")
    fetch.add_argument("directory", type=Path, metavar="DIR")
    return parser


def _up(lab: SyncLab, options: argparse.Namespace) -> None:
    labels: dict[str, dict[str, str]] = {name: {} for name in options.names}
    if options.article or not options.names:
        labels |= {name: dict(values) for name, values in ARTICLE.items()}
    for text in options.label:
        name, _, label = text.partition(":")
        key, equals, value = label.partition("=")
        if name not in labels or not key or not equals:
            raise LabError(f"--label {text}: it must be NAME:KEY=VALUE, NAME one of {', '.join(labels)}")
        labels[name][key] = value
    if lacking := packages.missing(packages.ENGINES):
        raise LabError(f"missing Debian packages: {' '.join(lacking)}; `lab missing --install` installs them")
    lab.up(labels, labels, options.image or ["busybox"], options.engine_dir)
    _ls(lab, argparse.Namespace(json=False))


def _ls(lab: SyncLab, options: argparse.Namespace) -> None:
    hosts = [
        {"name": host.name, "address": host.address, "url": host.url, "socket": str(host.socket)}
        | {"state": host.state, "labels": host.labels, "log": str(host.engine.log)}
        for host in lab.hosts.values()
    ]
    if options.json:
        print(json.dumps(hosts, indent=2))
        return
    rows = [("NAME", "ADDRESS", "STATE", "LABELS")]
    for host in lab.hosts.values():
        labels = " ".join(f"{key}={value}" for key, value in host.labels.items())
        rows.append((host.name, host.address, host.state, labels))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _env(lab: SyncLab, options: argparse.Namespace) -> None:
    print(f"export DOCKER_HOST={lab[options.name].url}")


def _images(lab: SyncLab, options: argparse.Namespace) -> None:
    lab.load(options.names or NAMES)


def _fault(lab: SyncLab, options: argparse.Namespace) -> None:
    lab.each(options.action, options.names)


def _exec(lab: SyncLab, options: argparse.Namespace) -> int:
    argv = options.argv or [os.environ.get("SHELL", "/bin/sh")]
    return subprocess.call(lab[options.name].machine.inside(*argv))


def _down(lab: SyncLab, options: argparse.Namespace) -> None:
    lab.down()
    if options.all and lab.directory.parent.exists():
        for directory in sorted(lab.directory.parent.iterdir()):
            SyncLab(directory.name.removesuffix(GOING)).down()


def _missing(_: SyncLab, options: argparse.Namespace) -> int:
    lacking = packages.missing()
    if options.install:
        packages.ensure(lacking)
        return 0
    print("\n".join(lacking), end="\n" if lacking else "")
    return 1 if lacking else 0


def _fetch_engine(_: SyncLab, options: argparse.Namespace) -> None:
    packages.fetch_engine(options.release, options.directory)
