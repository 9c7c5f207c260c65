"""redis and PostgreSQL."""

import re
from pathlib import Path

from contrib.lab.errors import LabError
from contrib.lab.images.servers import busybox
from contrib.lab.images.tree import Tree

_POSTGRES_START = """\
#!/bin/sh
# Be the server, whose database cluster is made at the first start, or the program that is asked for.
case ${1-} in
postgres | -*) ;;
*) exec "$@" ;;
esac
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --no-sync --auth=trust --encoding=UTF8 --no-locale --username=postgres >/dev/null
    echo "host all all all trust" >>"$PGDATA/pg_hba.conf"
fi
[ "$1" != postgres ] || shift
postgres -c listen_addresses='*' -c unix_socket_directories=/tmp "$@" &
# To PostgreSQL, SIGTERM means to wait until the last client has gone. Whoever stops a container means SIGINT.
server=$!
trap 'kill -INT $server' TERM INT
wait $server || wait $server
"""


def redis(tree: Tree) -> tuple[str, ...]:
    """redis-server, which anyone may reach, and redis-cli; data in the volume /data."""
    busybox(tree)
    for name in ("redis-server", "redis-cli"):
        tree.program(Path("/usr/bin") / name)
    tree.directory("/data")
    return ("EXPOSE 6379", "WORKDIR /data", "VOLUME /data", 'CMD ["redis-server", "--protected-mode", "no"]')


def postgres(tree: Tree) -> tuple[str, ...]:
    """A PostgreSQL server that trusts everyone; data in the volume /var/lib/postgresql/data."""
    busybox(tree)
    home, share = _postgres()
    for name in ("postgres", "initdb", "psql", "pg_isready"):
        tree.program(home / "bin" / name)
    plugins = re.compile(r"(plpgsql|dict_snowball|pgoutput|libpqwalreceiver)\.so")
    tree.copy(home / "lib", keep=lambda path: bool(plugins.fullmatch(str(path))))
    tree.copy(share, keep=lambda path: path.parts[0] != "man")
    tree.file(Path("/usr/share/zoneinfo/Etc/UTC"))
    tree.text("/usr/local/bin/postgres-start", _POSTGRES_START, 0o755)
    tree.directory("/var/lib/postgresql/data", 0o700, owner=999)
    return (
        "EXPOSE 5432",
        "VOLUME /var/lib/postgresql/data",
        "USER postgres",
        f"ENV PATH={home}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENV PGDATA=/var/lib/postgresql/data",
        "ENV PGHOST=/tmp",
        "ENV TZ=Etc/UTC",
        'ENTRYPOINT ["postgres-start"]',
        'CMD ["postgres"]',
    )


def _postgres() -> tuple[Path, Path]:
    """Where Debian keeps the newest installed server, and its shared files."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        raise LabError("no /usr/lib/postgresql/*/bin/initdb; install the Debian package postgresql")
    version = found[-1].parts[4]
    return Path("/usr/lib/postgresql") / version, Path("/usr/share/postgresql") / version
