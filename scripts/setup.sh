#!/usr/bin/env bash
# Install what edgebundle needs: system packages (only as root, and after naming them) and the Python environment .venv.
#   scripts/setup.sh demo    what `make demo` needs
#   scripts/setup.sh test    the same and what the tests need besides
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?usage: scripts/setup.sh demo|test}

packages=(python3.11-venv openjdk-17-jdk-headless maven aapt apksigner g++ g++-aarch64-linux-gnu qemu-user)
if [ "$purpose" = test ]; then packages+=(chromium dexdump postgresql mmdebstrap curl unzip); fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        echo "These system packages are missing; install them as root and start again: $command" >&2
        exit 3
    fi
    echo "Installing system packages: ${missing[*]}" >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

stamp=.venv/.edgebundle-stamp
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum)
if [ "$(cat $stamp 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the Python environment .venv (some minutes the first time)" >&2
    [ -x .venv/bin/python ] || python3.11 -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all,examples,dev]' >&2
    echo "$wanted" >$stamp
fi
if [ "$purpose" = test ]; then bash builder/backends/tflite/gpu/mesa.sh prepare >/dev/null; fi
.venv/bin/python examples/efficientnet_lite0/prepare.py
.venv/bin/python examples/anime_style/prepare.py
