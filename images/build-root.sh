#!/bin/sh
# Makes the root file system of the actor image as a tar: CPython with its whole standard library, and busybox.
# usage: build-root.sh CODENAME PYTHON_VERSION TARGET.tar [MIRROR]
# Codename and version are those of this machine's release; the mirror is the one its apt uses.
set -eu
codename=$1 python=$2 target=$3
shift 3
exec mmdebstrap --quiet --variant=extract \
    --include="python3-minimal,libpython${python}-stdlib,libc-bin,busybox" "$codename" "$target" "$@"
