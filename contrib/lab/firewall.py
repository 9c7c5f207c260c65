"""Which of the two iptables works in this kernel: the one for nf_tables, or the old one."""

import shutil
from pathlib import Path

from contrib.lab.errors import LabError, run
from contrib.lab.machines import Machine

_VARIANTS = ("iptables", "iptables-nft", "iptables-legacy")
# What an engine's rules take, beyond the tables themselves.
_RULES = """
set -e
{0} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j ACCEPT
{0} -A FORWARD -m conntrack --ctstate NEW
"""


def choose(machine: Machine, directory: Path) -> None:
    """Put links to the iptables that works into `directory`, unless it is the system's own choice.

    The rules of the trial go to the machine's network, which must carry no traffic that minds. Raises
    LabError with every variant's complaint when none works.
    """
    complaints = []
    for variant in _VARIANTS:
        try:
            run(*machine.inside("sh", "-c", _RULES.format(variant)))
        except LabError as error:
            complaints.append(str(error))
            continue
        if variant != "iptables":
            directory.mkdir()
            for name in ("iptables", "ip6tables"):
                program = shutil.which(variant.replace("iptables", name), path="/usr/sbin:/sbin")
                (directory / name).symlink_to(program or "/bin/false")
        return
    raise LabError("no iptables works in this kernel:\n" + "\n".join(complaints))
