#!/bin/sh
# The first process of one machine of the lab. It is started in new network, pid, mount, host name and ipc
# namespaces, furnishes them, and then holds them: when it is killed, the kernel ends everything inside.
#
#   machine.sh NAME DIRECTORY LAB-DIRECTORY
set -eu
exec 2>&1
name=$1 dir=$2 lab=$3

# Record ourselves first, so that whatever happens next, `lab down` finds us. This is still the outer /proc, and
# `read` is the shell's own: the pid is the one that the outside knows.
read -r stat </proc/self/stat
set -- $stat
echo "$1 ${22}" >"$dir/machine.new"
mv "$dir/machine.new" "$dir/machine"

hostname "$name"
mount -n -t proc proc /proc

# A /run of its own: pid files, containerd's sockets and locks of several engines never meet, and
# /var/run/docker.sock is this machine's engine. The lab's directory stays visible when it lies below.
# Not -p for ours: when `lab down` was here just now, the directory is gone, and stays so.
[ -d "$dir/etc" ] || mkdir "$dir/run" "$dir/etc"
mkdir -p /etc/docker
mount -n -t tmpfs -o mode=755 tmpfs "$dir/run"
case $lab in
/run/*)
    mkdir -p "$dir$lab"
    mount -n --bind "$lab" "$dir$lab"
    ;;
esac
mount -n --move "$dir/run" /run

# An /etc/docker of its own: there an engine keeps the key that is its id.
mount -n --bind "$dir/etc" /etc/docker
mount -n --make-rshared /

# Whoever starts us reads our output to its end: nothing in it means that the machine is up.
exec >/dev/null 2>&1
while :; do
    sleep infinity &
    wait
done
