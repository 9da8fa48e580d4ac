"""The npm packages of the page with those for its development, fetched once and kept in the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.bundle import hash_file
from builder.storage import cache
from builder.targets.mobile import find_mobile_root
from builder.targets.web import node

LISTS = ("package.json", "package-lock.json")


def install_node_modules() -> Path:
    """Of exactly what the lock names; no script of a package runs."""
    sources = find_mobile_root() / "web"
    key = cache.make_content_key([hash_file(sources / name) for name in LISTS])
    with cache.hold_lock(f"test-web-packages {key}"):
        if not cache.locate("test-web-packages", key).is_dir():
            with cache.publishing("test-web-packages", key) as work:
                for name in LISTS:
                    shutil.copyfile(sources / name, work / name)
                words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
                node.run("npm", words, what="fetch the page's npm packages", cwd=work, timeout_s=600)
    return cache.locate("test-web-packages", key) / "node_modules"
