"""The page's files put together: scripts, runtime, bundle. The same inputs give the same bytes."""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from pathlib import Path

from builder.bundle import Bundle, hash_file, list_tree
from builder.targets.web.scripts import BUILD_MARK
from builder.targets.web.settings import check_remote_origin

# Pixels; browsers that draw no SVG icon install with these.
ICON_SIZES = (192, 512)
STATIC = ("style.css", "icon.svg", *(f"icon-{size}.png" for size in ICON_SIZES))
PAGES = ("index.html", "bench.html")


def write_site(bundle: Bundle, scripts: Path, static: Path, out: Path, *, remote: str = "") -> None:
    """Write the page to `out`, which must not exist. `remote` is the server that it may ask, and the one place beside its own host
    that its policy then lets it reach."""
    shutil.copytree(scripts, out)
    for name in STATIC:
        shutil.copyfile(static / name, out / name)
    shutil.copytree(bundle.root, out / "bundle")
    _write_notices(bundle, out / "NOTICES.txt")
    shutil.copyfile(static.parent / "LICENSE", out / "LICENSE")
    model = bundle.manifest.model
    size = _describe_first_size(out, bundle)
    marks = {
        "@NAME@": model.name,
        "@LICENCE@": f"{model.name} {model.version}, {model.licence}",
        "@SIZE@": size,
        "@REMOTE@": remote,
        "@GIVES@": _name_kind_of_output(bundle),
        "@CONNECT@": f" {check_remote_origin(remote)}" if remote else "",
        "@PRIVACY@": "pictures stay here unless you agree to send them"
        if remote
        else "pictures never leave this device",
    }
    for name in PAGES:
        page = (static / name).read_text(encoding="utf-8")
        for mark, text in marks.items():
            page = page.replace(mark, html.escape(text, quote=True))
        (out / name).write_text(page, encoding="utf-8")
    (out / "app.webmanifest").write_text(_write_web_manifest(model.name), encoding="utf-8")
    worker = out / "sw.js"
    worker.write_text(worker.read_text(encoding="utf-8").replace(BUILD_MARK, _build_of(out)), encoding="utf-8")


def _write_notices(bundle: Bundle, notices: Path) -> None:
    """The page's own licence and the model's, after those of the libraries that its scripts carry."""
    model = bundle.manifest.model
    lines = ["edgebundle page: Apache-2.0 (see LICENSE)"]
    lines += [f"model {model.name}: {name}" for name in dict.fromkeys((model.licence, *bundle.manifest.licences))]
    with notices.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _describe_first_size(out: Path, bundle: Bundle) -> str:
    """What the first use loads, as the page prints it: the largest runtime and the largest variant, uncompressed."""
    runtime = max(path.stat().st_size for path in (out / "runtime").glob("*.wasm"))
    variant = max(variant.bytes for variant in bundle.manifest.variants)
    return f"{(runtime + variant) / 1e6:.1f} MB"


def _name_kind_of_output(bundle: Bundle) -> str:
    """What the page shows of the network, so that its parts stand in their places before the network is loaded."""
    outputs = bundle.manifest.outputs
    labels = any(spec.labels is not None for spec in outputs) and not any(spec.kind == "image" for spec in outputs)
    return "labels" if labels else "picture"


def _write_web_manifest(name: str) -> str:
    facts = {
        "name": name,
        "short_name": name[:12],
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#3949ab",
        "icons": [
            {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
            *(
                {"src": f"icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any maskable"}
                for size in ICON_SIZES
            ),
        ],
    }
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _build_of(out: Path) -> str:
    """Hash of all files, so that a new page never mixes with what a browser kept of an old one."""
    lines = [f"{hash_file(path)} {path.relative_to(out).as_posix()}" for path in list_tree(out)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
