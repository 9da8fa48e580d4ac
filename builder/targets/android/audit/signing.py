"""Signatures: checked by our own second implementation always, and by Android's own tools where they are installed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder import process
from builder.targets.android.audit.layout import Package
from builder.targets.android.signing.jarsign_check import check_jar
from builder.targets.android.signing.keys import is_debug
from builder.targets.android.signing.signature_check import SchemeResult, check_signatures
from builder.targets.base import Finding

# apksigner takes seconds for a large package: what takes longer hangs.
LIMIT_S = 60.0


def audit_signatures(package: Package, second_opinion: bool) -> Iterator[Finding]:
    """All findings of the signatures: v2 and v3 of an APK, the JAR signature of an app bundle; an AAR has none."""
    if package.kind == "aar":
        return
    results = check_signatures(package.path) if package.kind == "apk" else [check_jar(package.path)]
    for result in results:
        if result.problem is not None:
            yield package.finding(
                "error",
                "signature",
                f"has no valid signature of scheme {result.scheme}: {result.problem}; package again.",
            )
    if second_opinion and package.kind == "apk" and all(result.problem is None for result in results):
        yield from _apksigner(package)
    yield from _signers(package, results)


def _signers(package: Package, results: list[SchemeResult]) -> Iterator[Finding]:
    signers = {
        r.certificate.subject.rfc4514_string(): r.certificate
        for r in results
        if r.certificate is not None and r.problem is None
    }
    for name, certificate in signers.items():
        schemes = ", ".join(r.scheme for r in results if r.problem is None)
        yield package.finding("info", "signed", f"is signed ({schemes}) by {name}.")
        if is_debug(certificate):
            yield package.finding(
                "warning",
                "debug-key",
                "is signed with a debug key: fine for tests, no store takes it; set 'keystore' in [package.android] and package the builder.toml.",
            )


def _apksigner(package: Package) -> Iterator[Finding]:
    """A second opinion, where Android's verifier is installed; it runs Java, so packaging itself does without."""
    if process.find("apksigner") is None:
        return
    done = process.run(["apksigner", "verify", "--verbose", package.path], timeout_s=LIMIT_S, check=False)
    held = [scheme for scheme in ("v2", "v3") if re.search(rf"\(APK Signature Scheme {scheme}\): true", done.stdout)]
    if done.returncode or held != ["v2", "v3"]:
        yield package.finding(
            "error", "apksigner", f"is refused by apksigner: {done.quote_last_lines(2)}; package again."
        )
    else:
        yield package.finding("info", "apksigner", "is verified by apksigner too (v2 and v3).")
