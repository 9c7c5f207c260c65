"""Which of the two iptables works in this kernel: the one for nf_tables, or the old one."""

import shutil
from pathlib import Path

from contrib.lab.errors import LabError, run
from contrib.lab.machines import Machine

_VARIANTS = ("iptables", "iptables-nft", "iptables-legacy")
_TRIAL = (  # What an engine's rules take.
    "-t nat -I PREROUTING -m addrtype --dst-type LOCAL -j ACCEPT",
    "-t nat -D PREROUTING 1",
    "-I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-D FORWARD 1",
)


def choose(machine: Machine, directory: Path) -> None:
    """Put links to the iptables that works into `directory`, unless it is the system's own choice.

    They are tried in the machine's network. Raises LabError with every complaint when none works.
    """
    complaints = []
    for variant in _VARIANTS:
        try:
            for rule in _TRIAL:
                run(*machine.inside(variant, *rule.split()))
        except LabError as error:
            complaints.append(str(error).partition(" -- ")[2])
            continue
        if variant != "iptables":
            _link(variant, directory)
        return
    raise LabError("no iptables works in this kernel:\n" + "\n".join(complaints))


def _link(variant: str, directory: Path) -> None:
    directory.mkdir()
    for name in ("iptables", "ip6tables"):
        program = shutil.which(variant.replace("iptables", name), path="/usr/sbin:/sbin")
        (directory / name).symlink_to(program or "/bin/false")
