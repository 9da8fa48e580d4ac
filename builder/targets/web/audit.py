"""What a person should know of a finished page: its sizes, its variants, and that it names no other host."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from builder.bundle import Bundle, list_tree
from builder.targets.base import Finding
from builder.targets.web.settings import check_remote_origin
from builder.targets.web.site import PAGES

# Of app.js, compressed: a page that waits for its own script longer is not a quick try.
MOST_SCRIPT_BYTES = 40_000


def audit_site(site: Path, bundle: Bundle, remote: str = "") -> list[Finding]:
    """Findings of a written page; `remote` is the server that it may ask."""
    return [*_sizes(site), *_variants(site, bundle), *_remote(site, remote), *_hosts(site, remote)]


def _remote(site: Path, remote: str) -> list[Finding]:
    if not remote:
        return []
    message = f"offers to send pictures to {remote} where no variant works; it asks first. The server must list this page's origin in SERVER_ORIGINS."
    return [_finding(site, "info", "remote", message)]


def _sizes(site: Path) -> list[Finding]:
    script = len(gzip.compress((site / "app.js").read_bytes(), 9, mtime=0))
    total = sum(path.stat().st_size for path in list_tree(site))
    findings = [_finding(site, "info", "size", f"has {total:,} bytes; its own script has {script:,} bytes compressed.")]
    if script > MOST_SCRIPT_BYTES:
        findings.append(
            _finding(
                site,
                "error",
                "script-size",
                f"has a script of {script:,} bytes compressed, over {MOST_SCRIPT_BYTES:,}.",
            )
        )
    return findings


def _variants(site: Path, bundle: Bundle) -> list[Finding]:
    halves = [v.id for v in bundle.manifest.variants if any(layer.realised == "fp16" for layer in v.layers)]
    if len(halves) < len(bundle.manifest.variants):
        return []
    message = (
        f"has only {', '.join(halves)}, whose weights in fp16 make WebAssembly many times slower: add a [[variant]] with "
        'scheme = "fp32" or an int8 plan to builder.toml.'
    )
    return [_finding(site, "warning", "fp16-only", message)]


def _hosts(site: Path, remote: str) -> list[Finding]:
    """The page itself must load nothing from elsewhere; addresses inside the runtime's texts are not loaded, nor is the server's."""
    findings = []
    for name in (*PAGES, "app.js", "sw.js", "style.css"):
        text = (site / name).read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        if remote and name == "index.html":
            text = text.replace(f'data-remote="{remote}"', "").replace(
                f"connect-src 'self' {check_remote_origin(remote)};", ""
            )
        for host in sorted(set(re.findall(r"https?://[\w.-]+", text))):
            findings.append(
                _finding(site, "error", "foreign-host", f"names {host} in {name}; a page loads nothing from elsewhere.")
            )
    return findings


def _finding(site: Path, level: str, code: str, message: str) -> Finding:
    return Finding(level=level, code=code, file=site.name, message=message)  # type: ignore[arg-type]
