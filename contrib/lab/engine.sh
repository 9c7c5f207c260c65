#!/bin/sh
# Becomes the engine of the machine that it runs on.
#
#   engine.sh LOG PATH DOCKERD-ARGUMENTS...
exec >>"$1" 2>&1
PATH=$2
export PATH
shift 2
exec dockerd "$@"
