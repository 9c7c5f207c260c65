"""busybox, the floor that every image stands on, and nginx."""

from pathlib import Path

from contrib.lab.errors import run
from contrib.lab.images.tree import Tree

_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/false
nginx:x:101:101:nginx:/nonexistent:/bin/false
postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""

_NGINX = """\
user nginx;
worker_processes auto;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""

_NGINX_SITE = """\
server {
    listen 80 default_server;
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html;
    }
}
"""


def busybox(tree: Tree) -> tuple[str, ...]:
    """A shell and the usual small programs."""
    program = Path("/usr/bin/busybox")
    tree.file(program, "/bin/busybox")
    for applet in run(str(program), "--list-full").split():
        if applet != "bin/busybox":
            tree.link(applet, "/bin/busybox")
    tree.text("/etc/passwd", _PASSWD)
    tree.text(
        "/etc/group",
        "\n".join(f"{line.split(':')[0]}:x:{line.split(':')[3]}:" for line in _PASSWD.split()) + "\n",
    )
    tree.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    for directory in ("/dev", "/proc", "/sys", "/root", "/run", "/home", "/var/log"):
        tree.directory(directory)
    for directory in ("/tmp", "/var/tmp"):
        tree.directory(directory, 0o1777)
    tree.link("/var/run", "/run")
    return ('CMD ["sh"]',)


def nginx(tree: Tree) -> tuple[str, ...]:
    """nginx as the official image has it: sites in /etc/nginx/conf.d, logs on the output."""
    busybox(tree)
    tree.program(Path("/usr/sbin/nginx"))
    tree.file(Path("/etc/nginx/mime.types"))
    tree.text("/etc/nginx/nginx.conf", _NGINX)
    tree.text("/etc/nginx/conf.d/default.conf", _NGINX_SITE)
    tree.text(
        "/usr/share/nginx/html/index.html",
        "<!doctype html>\n<title>nginx</title>\n<p>nginx is running.</p>\n",
    )
    tree.directory("/var/lib/nginx", owner=101)
    tree.directory("/var/log/nginx")
    return ("EXPOSE 80", 'CMD ["nginx", "-g", "daemon off;"]')
