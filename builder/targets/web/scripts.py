"""The page's scripts and the runtime, built once from the sources with pinned npm packages and kept in the cache."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from builder.bundle import hash_file, list_tree
from builder.storage import cache
from builder.targets.web import node

STEP = "web-scripts"
SOURCES = ("package.json", "package-lock.json", "src", "static", "npm")
COPIED = ("static", "npm")  # as they are, when a package is written: no script is built of them
# Some hundred megabytes over a slow line: what takes longer hangs.
INSTALL_S = 600.0
# esbuild takes seconds: what takes minutes hangs.
BUILD_S = 120.0
BUILD_MARK = "@BUILD@"  # in sw.js, until the page is written
# The runtime's own files: without relaxed SIMD, with it, and with threads. LiteRT.js takes the one that the browser can run.
WASM = ("litert_wasm_compat_internal", "litert_wasm_internal", "litert_wasm_threaded_internal")
_SCRIPTS = {"src/app.ts": "app.js", "src/sw.ts": "sw.js", "src/runtime.ts": "runtime/litert.js"}
_MODULE = {"src/index.ts": "index.js", "src/network.ts": "worker.js"}  # of the npm package; the first is an ES module


def build_scripts(sources: Path) -> Path:
    """A directory with `files/` (`app.js`, `sw.js`, `runtime/`, `NOTICES.txt`) and `module/`, what the npm package has beside them.

    Raises MissingToolError, ConversionError.
    """
    names = [path for name in SOURCES if name not in COPIED for path in _files(sources / name)]
    key = cache.make_content_key(
        [
            [f"{hash_file(path)} {path.relative_to(sources).as_posix()}" for path in names],
            cache.hash_code(Path(__file__).parent),
        ]
    )
    with cache.hold_lock(f"{STEP} {key}"):
        if not cache.locate(STEP, key).is_dir():
            with cache.publishing(STEP, key) as work:
                _build(sources, work)
    return cache.locate(STEP, key)


def _files(path: Path) -> list[Path]:
    return list(list_tree(path)) if path.is_dir() else [path]


def _build(sources: Path, work: Path) -> None:
    project = work / "project"
    project.mkdir()
    for name in SOURCES:
        if name not in COPIED:
            copy = shutil.copytree if (sources / name).is_dir() else shutil.copyfile
            copy(sources / name, project / name)
    # No script of a package runs: an install can only unpack what the lock's hashes name.
    words: list[str | Path] = [
        "ci",
        "--ignore-scripts",
        "--omit=dev",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        "--loglevel=error",
    ]
    node.run("npm", words, what="fetch the page's npm packages", cwd=project, timeout_s=INSTALL_S)
    out = work / "files"
    runtime = project / "node_modules" / "@litertjs" / "core"
    version = json.loads((runtime / "package.json").read_text(encoding="utf-8"))["version"]
    for source, target in (
        *((source, out / name) for source, name in _SCRIPTS.items()),
        *((source, work / "module" / name) for source, name in _MODULE.items()),
    ):
        words = [
            project / "node_modules" / "esbuild" / "bin" / "esbuild", source, "--bundle", "--minify",
            f"--format={'esm' if target.name == 'index.js' else 'iife'}",
            "--target=es2022", "--charset=utf8", "--legal-comments=none", f'--define:BUILD="{BUILD_MARK}"',
            f'--define:RUNTIME_VERSION="{version}"', f"--outfile={target}", "--log-level=warning",
        ]  # fmt: skip
        node.run("node", words, what=f"build {target.name}", cwd=project, timeout_s=BUILD_S)
    for name in WASM:
        for suffix in (".js", ".wasm"):
            shutil.copyfile(runtime / "wasm" / f"{name}{suffix}", out / "runtime" / f"{name}{suffix}")
    (out / "NOTICES.txt").write_text(_notices(project), encoding="utf-8")
    shutil.rmtree(project)


def _notices(project: Path) -> str:
    """A line for each package whose code is in the page: its name, version and licence."""
    lines = []
    for package in ("@litertjs/core", "@litertjs/wasm-utils"):
        facts = json.loads((project / "node_modules" / package / "package.json").read_text(encoding="utf-8"))
        lines.append(f"{facts['name']} {facts['version']}: {facts.get('license', 'unknown')}")
    return "\n".join(["Libraries in this page and their licences", "", *lines]) + "\n"
