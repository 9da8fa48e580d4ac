#!/usr/bin/env bash
# Mesa 25 for machines without a GPU: its software Vulkan driver (lavapipe) computes in 16-bit floats, as phones' GPUs do.
# It needs a newer C library than Debian 12 has, so a folder of Debian 13 packages is unpacked into the cache, with its own loader;
# nothing is installed and nothing in it is configured. Licences: Mesa MIT, LLVM Apache-2.0 with exception, glibc LGPL-2.1
# (each package's copyright file stays in the folder). It is run on this machine, never bundled.
#   mesa.sh prepare    make the folder when it is not there (260 MB, a minute); prints where it is
set -euo pipefail

release=trixie
edition=1 # counts changes of what is unpacked, so that an old folder is never taken for a new one
lock_wait_s=1200 # another process may be making it
needed_kb=$((1024 * 1024))

cache=${EDGEBUNDLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edgebundle}/mesa
root=$cache/$release-$edition

fail() {
    echo "mesa.sh: $1" >&2
    exit 3
}

# The archive that apt of this machine takes Debian from: no other is trusted or named here.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Component: main' 'Created-By: Packages' | sort -u | head -n 1
}

make() {
    local work uri
    [ "$(uname -m)" = x86_64 ] || fail "LiteRT's GPU accelerator is made for x86-64 alone; gpu variants stay unproven on this machine"
    [ "$(id -u)" -eq 0 ] || fail "only root can unpack Debian packages with mmdebstrap here: run this with sudo and the same EDGEBUNDLE_CACHE"
    command -v apt-get >/dev/null || fail "the folder is made with apt, which this system lacks; gpu variants stay unproven on this machine"
    [ "$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')" -gt $needed_kb ] || fail "$cache has less than 1 GB free: set EDGEBUNDLE_CACHE to a larger disk"
    if ! command -v mmdebstrap >/dev/null; then
        echo "Installing the system package mmdebstrap" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >&2
    fi
    uri=$(mirror)
    [ -n "$uri" ] || fail "apt names no Debian archive: add one to its sources and run 'apt-get update'"
    echo "Unpacking Mesa of Debian $release into $root (260 MB, about a minute)" >&2
    rm -rf "$cache"/.making-* # left by processes that were killed; we hold the lock
    work=$(mktemp -d "$cache/.making-$release-XXXXXX")
    mmdebstrap --quiet --mode=root --variant=extract --include=mesa-vulkan-drivers,libvulkan1 --components=main \
        --aptopt='Acquire::Retries "3"' "$release" "$work" "$uri" >&2
    zcat "$work/usr/share/doc/mesa-vulkan-drivers/changelog.Debian.gz" | sed -n '1s/.*(\(.*\)).*/\1/p' >"$work/version"
    [ -s "$work/version" ] || fail "the package of Mesa has no changelog to read its version from: please report this"
    chmod 755 "$work"
    mv "$work" "$root"
}

case ${1:-} in
prepare)
    if [ ! -d "$root" ]; then
        mkdir -p "$cache"
        exec 9>"$cache/lock"
        flock -w $lock_wait_s 9 || fail "another process has been making $root for $lock_wait_s s: end it and start again"
        [ -d "$root" ] || make
        exec 9>&-
    fi
    echo "$root"
    ;;
*)
    sed -n '2,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac
