#!/usr/bin/env bash
# Swift for Linux machines that have none: a Debian trixie chroot with its `swiftlang`, made once (3.5 GB) and kept in the cache.
#   scripts/swift.sh prepare                            make it when it is not there; prints where it is
#   scripts/swift.sh find                               print where it is; fails when it was not made yet
#   scripts/swift.sh run SOURCES WORK -- COMMAND...     run a command in it: SOURCES is /src (read-only), WORK is /work
# Works as root only, because it makes a chroot and mounts; the mounts live in a namespace of the command and end with it.
set -euo pipefail

release=trixie
edition=1 # counts changes of the packages below, so that an old chroot is never taken for a new one
packages=swiftlang,libswiftlang,swiftlang-dev,g++,libc6-dev,git,libcurl4,ca-certificates
lock_wait_s=1200 # another process may be making it
needed_kb=$((6 * 1024 * 1024))

cache=${EDGEBUNDLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edgebundle}/swift
root=$cache/$release-$edition

fail() {
    echo "swift.sh: $1" >&2
    exit 3
}

# The archive that apt of this machine takes Debian from: no other is trusted or named here.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Component: main' 'Created-By: Packages' | sort -u | head -n 1
}

make() {
    local work uri
    [ "$(id -u)" -eq 0 ] || fail "Swift is not there and only root can make its chroot: run 'sudo scripts/swift.sh prepare'"
    command -v apt-get >/dev/null || fail "the chroot is made with apt, which this system lacks: install Swift 6 and put swift on PATH"
    [ "$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')" -gt $needed_kb ] || fail "$cache has less than 6 GB free: set EDGEBUNDLE_CACHE to a larger disk"
    if ! command -v mmdebstrap >/dev/null; then
        echo "Installing the system package mmdebstrap" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >&2
    fi
    uri=$(mirror)
    [ -n "$uri" ] || fail "apt names no Debian archive: add one to its sources and run 'apt-get update'"
    echo "Making a Debian $release chroot with Swift in $root (3.5 GB, some minutes)" >&2
    rm -rf "$cache"/.making-* # left by processes that were killed; we hold the lock
    work=$(mktemp -d "$cache/.making-$release-XXXXXX")
    # Nothing here must survive a power cut, and manual pages serve nobody: both take much of the time.
    mmdebstrap --quiet --mode=root --variant=apt --include="$packages" --components=main \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Retries "3"' \
        "$release" "$work" "$uri" >&2
    mkdir -p "$work/src" "$work/work"
    chroot "$work" /usr/bin/swiftc --version >/dev/null 2>&1 || enter "$work" /usr "$work/work" /usr/bin/swiftc --version >&2
    chmod 755 "$work"
    mv "$work" "$root"
}

prepare() {
    [ -d "$root" ] && return
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock -w $lock_wait_s 9 || fail "another process has been making $root for $lock_wait_s s: end it and start again"
    [ -d "$root" ] || make
    exec 9>&-
}

# /proc is needed by Swift's own library search ($ORIGIN); everything is unmounted when the namespace ends.
enter() {
    local chroot=$1 source=$2 work=$3
    shift 3
    unshare --mount --propagation private -- bash -euc '
        chroot=$1 source=$2 work=$3
        shift 3
        mount -t proc proc "$chroot/proc"
        mount --rbind /dev "$chroot/dev"
        mount --bind "$source" "$chroot/src"
        mount -o remount,bind,ro "$chroot/src"
        mount --bind "$work" "$chroot/work"
        exec chroot "$chroot" env -i PATH=/usr/bin:/bin HOME=/work LANG=C.UTF-8 sh -c "cd /src && exec \"\$@\"" sh "$@"
    ' swift "$chroot" "$source" "$work" "$@"
}

case ${1:-} in
find)
    [ -d "$root" ] || fail "there is no $root yet: run 'scripts/swift.sh prepare'"
    echo "$root"
    ;;
prepare)
    prepare
    echo "$root"
    ;;
run)
    [ $# -ge 5 ] && [ "$4" = -- ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
    [ -d "$2" ] || { echo "swift.sh: no directory $2" >&2; exit 2; }
    [ -d "$3" ] || { echo "swift.sh: no directory $3" >&2; exit 2; }
    prepare >&2
    [ "$(id -u)" -eq 0 ] || fail "a command runs in the chroot as root only: use sudo"
    source=$2 work=$3
    shift 4
    enter "$root" "$source" "$work" "$@"
    ;;
*)
    sed -n '2,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac
