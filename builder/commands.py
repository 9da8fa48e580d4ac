"""The commands of `builder`: arguments in, work by the pipeline, results on stdout as tables or as one JSON document."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from builder import pipeline
from builder.bundle import Bundle, Manifest
from builder.console import listening, print_json, results, size, table
from builder.errors import MissingToolError


def convert(arguments: Namespace) -> None:
    with listening(quiet=arguments.quiet) as listener:
        bundle = pipeline.convert(arguments.config, out=arguments.output, backends=arguments.backend, listener=listener)
    if arguments.json:
        print_json(bundle.manifest, Manifest)
        return
    show_bundle(bundle)
    results.print(f"bundle: {arguments.output}")


def show_bundle(bundle: Bundle) -> None:
    """The variants of a bundle as a table: size, precision, quality, coverage."""
    rows = table(f"{bundle.manifest.model.name}: {len(bundle.manifest.variants)} variants", "variant", "bytes>", "precision", "worst dB>", "mean dB>", "SSIM>", "delegated>", "run by")
    for variant in bundle.manifest.variants:
        quality, coverage = variant.quality, variant.coverage
        rows.add_row(
            variant.id,
            f"{variant.bytes:,}",
            precision_summary([layer.realised for layer in variant.layers]),
            f"{quality.psnr_db_worst:.1f}",
            f"{quality.psnr_db_mean:.1f}",
            "-" if quality.ssim_worst is None else f"{quality.ssim_worst:.4f}",
            f"{coverage.delegated_ops}/{coverage.total_ops}",
            quality.runtime,
        )
    results.print(rows)


def precision_summary(schemes: list[str]) -> str:
    """`static_wi8_ai8 x9, fp16 x1`: realised schemes by number of layers."""
    counts = {scheme: schemes.count(scheme) for scheme in dict.fromkeys(schemes)}
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{scheme} x{count}" for scheme, count in sorted(counts.items(), key=lambda item: -item[1]))


def package(arguments: Namespace) -> None:
    from builder.targets.base import PackageResult

    with listening(quiet=arguments.quiet) as listener:
        result = pipeline.package(arguments.source, target=arguments.target, formats=arguments.format, out=arguments.output, listener=listener)
    if arguments.json:
        print_json(result, PackageResult)
        return
    for file in result.files:
        results.print(f"{file}  {size(file.stat().st_size) if file.is_file() else 'directory'}")
    for finding in result.findings:
        results.print(f"[bold]{finding.level}[/]: {finding.message}", highlight=False)


def verify(arguments: Namespace) -> None:
    from builder.verify import Verification, verify_bundle

    with listening(quiet=arguments.quiet) as listener:
        verification = verify_bundle(arguments.bundle, listener)
    if arguments.json:
        print_json(verification, Verification)
        return
    rows = table(f"{verification.model}: every hash and every golden agrees", "variant", "golden", "own golden dB>", "source model dB>", "run by")
    for check in verification.checks:
        rows.add_row(check.variant, check.golden, f"{check.psnr_db:.1f}", f"{check.source_psnr_db:.1f}", check.runtime)
    results.print(rows)


def doctor(arguments: Namespace) -> None:
    from builder.doctor import Finding, examine

    findings = examine()
    if arguments.json:
        print_json(findings, tuple[Finding, ...])
    else:
        rows = table("what edgebundle needs", "for", "what", "found", "to add it")
        for finding in findings:
            rows.add_row(finding.part, finding.name, finding.version or "[red]missing[/]", finding.cure)
        results.print(rows)
    missing = [finding for finding in findings if finding.cure]
    if missing:
        raise MissingToolError(f"{len(missing)} of {len(findings)} needs are not met, first {missing[0].name}: {missing[0].cure}.")


def plan(arguments: Namespace) -> None:
    from builder.planning import PlannedVariant, plan_config

    with listening(quiet=arguments.quiet) as listener:
        planned = plan_config(arguments.config, arguments.backend, listener)
    if arguments.json:
        print_json(planned, tuple[PlannedVariant, ...])
        return
    for variant in planned:
        rows = table(f"{variant.id}", "layer", "op", "rule>", "requested", "lowered as", "params>", "MACs>", "why")
        for row in variant.layers:
            rows.add_row(row.layer, row.op, str(row.rule), row.requested, row.scheme, f"{row.params:,}", f"{row.macs:,}", row.reason or "")
        results.print(rows)


def inspect(arguments: Namespace) -> None:
    from builder.inspection import inspect_path

    inspect_path(arguments)


COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "doctor": doctor,
    "inspect": inspect,
    "plan": plan,
    "convert": convert,
    "verify": verify,
    "package": package,
}
