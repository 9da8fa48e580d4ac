"""The commands of `builder`: arguments in, work by the pipeline, results on stdout as tables or as one JSON document."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder import pipeline
from builder.bundle import Coverage, Manifest
from builder.console import add_row, listening, print_json, print_line, results, size, table
from builder.errors import ConfigError, MissingToolError, VerificationError

if TYPE_CHECKING:
    from builder.planning import PlannedVariant
    from builder.search import SearchResult
    from builder.targets.base import Finding

_NAMED = 5  # of the operators that a delegate leaves; a line has to end


def convert(arguments: Namespace) -> None:
    with listening(quiet=arguments.quiet) as listener:
        bundle = pipeline.convert(arguments.config, out=arguments.output, backends=arguments.backend, listener=listener)
    if arguments.json:
        print_json(bundle.manifest, Manifest)
        return
    show_variants(bundle.manifest)
    print_line(f"bundle: {arguments.output}")


def show_variants(manifest: Manifest) -> None:
    """The variants of a bundle as a table: size, precision, quality, coverage."""
    rows = table(
        f"{manifest.model.name}: {len(manifest.variants)} variants",
        "variant",
        "bytes>",
        "precision",
        "worst dB>",
        "mean dB>",
        "SSIM>",
        "delegated>",
        "run by",
    )
    for variant in manifest.variants:
        quality, coverage = variant.quality, variant.coverage
        add_row(
            rows,
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
    from builder.targets.base import PackageOptions, PackageResult, Runtime

    name, _, file = (arguments.runtime or "").partition("=")
    options = PackageOptions(
        runtime=Runtime(name=name, file=Path(file) if file else None) if name else None,
        allow=tuple(arguments.allow),
        with_gradle=arguments.with_gradle,
    )
    with listening(quiet=arguments.quiet) as listener:
        result = pipeline.package(
            arguments.source,
            target=arguments.target,
            formats=arguments.format,
            out=arguments.output,
            listener=listener,
            options=options,
        )
    if arguments.json:
        print_json(result, PackageResult)
        return
    for file in result.files:
        print_line(f"{file}  {size(file.stat().st_size) if file.is_file() else 'directory'}")
    show_findings(result.findings, verbose=arguments.verbose)


def show_findings(findings: Sequence[Finding], *, verbose: bool) -> None:
    """What an audit found, the grave first; mere information only when asked for."""
    for level in ("error", "warning", "info") if verbose else ("error", "warning"):
        for finding in (f for f in findings if f.level == level):
            print_line(f"{level}: {finding.file} {finding.message}")


def verify(arguments: Namespace) -> None:
    from builder.verify import Verification, verify_bundle

    with listening(quiet=arguments.quiet) as listener:
        verification = verify_bundle(arguments.bundle, listener)
    if arguments.json:
        print_json(verification, Verification)
        return
    rows = table(
        f"{verification.model}: every hash and every golden agrees",
        "variant",
        "golden",
        "own golden dB>",
        "source model dB>",
        "run by",
        "tiles of large pictures",
        "seam>",
    )
    for check in verification.checks:
        add_row(
            rows,
            check.variant,
            check.golden,
            f"{check.psnr_db:.1f}",
            f"{check.source_psnr_db:.1f}",
            check.runtime,
            check.tiles,
            "-" if check.seam_error is None else f"{check.seam_error:.1g}",
        )
    results.print(rows)


def doctor(arguments: Namespace) -> None:
    from builder.doctor import Finding, examine

    findings = examine()
    if arguments.json:
        print_json(findings, tuple[Finding, ...])
    else:
        rows = table("what edgebundle needs", "for", "what", "found", "to add it")
        for finding in findings:
            cure = finding.cure if finding.required or not finding.cure else f"(optional) {finding.cure}"
            add_row(rows, finding.part, finding.name, finding.version or "missing", cure)
        results.print(rows)
    missing = [finding for finding in findings if finding.cure and finding.required]
    if missing:
        raise MissingToolError(
            f"{len(missing)} of {len(findings)} needs are not met, first {missing[0].name}: {missing[0].cure}."
        )


def plan(arguments: Namespace) -> None:
    from builder.planning import PlannedVariant, plan_config

    with listening(quiet=arguments.quiet) as listener:
        planned = plan_config(arguments.config, arguments.backend, listener, all_backends=arguments.all_backends)
    if arguments.json:
        print_json(planned, tuple[PlannedVariant, ...])
    else:
        show_plans(planned)
    for variant in (v for v in planned if v.refused and not v.what_if):
        first = variant.refused[0]
        raise ConfigError(
            f"variant {variant.id!r} cannot be converted: {variant.backend} refuses {len(variant.refused)} of "
            f"{len(variant.layers)} layers, first {first.layer!r}: {first.reason}"
        )


def show_plans(planned: Sequence[PlannedVariant]) -> None:
    """One table a plan and backend: which rule won for each layer, and what the backend makes of it."""
    for variant in planned:
        rows = table(variant.id, "layer", "op", "rule>", "requested", "lowered as", "weights B>", "MACs>", "why")
        for row in variant.layers:
            add_row(
                rows,
                row.layer,
                row.op,
                str(row.rule),
                row.requested,
                row.scheme or "refused",
                f"{row.weight_bytes:,}",
                f"{row.macs:,}",
                row.reason or "",
            )
        weights, macs = (sum(getattr(row, key) for row in variant.layers) for key in ("weight_bytes", "macs"))
        add_row(rows, "all", "", "", "", "", f"{weights:,}", f"{macs:,}", "")
        results.print(rows)
        for number, rule in enumerate(variant.rules, 1):
            print_line(f"rule {number}: {rule}")


def search(arguments: Namespace) -> None:
    from builder.search import SearchResult, unmet

    with listening(quiet=arguments.quiet) as listener:
        found = pipeline.search(arguments.config, out=arguments.output, listener=listener, cluster=arguments.cluster)
    if arguments.json:
        print_json(found, tuple[SearchResult, ...])
    else:
        for result in found:
            show_search(result, verbose=arguments.verbose)
        if arguments.output is not None:
            print_line(f"written: {arguments.output}, with the trade-off as .json and .html beside it")
    for result in found:
        if result.chosen is None:
            raise VerificationError(unmet(result))


def show_search(result: SearchResult, *, verbose: bool) -> None:
    """The trade-off curve of a search with the chosen plan marked, its stock recipes, and what failed."""
    rows = table(f"{result.variant}: {len(result.trials)} trials", "trial>", "", "measured", "what")
    for trial in result.trials:
        if verbose or trial.number in (*result.curve, result.chosen) or trial.origin == "uniform" or trial.failure:
            mark = "chosen" if trial.number == result.chosen else "curve" if trial.number in result.curve else ""
            how = trial.measures.describe() if trial.measures else f"failed: {trial.failure}"
            add_row(rows, str(trial.number), mark, how, trial.what)
    results.print(rows)
    if result.cost is not None:
        print_line(f"cost: {result.cost}; fp32 is 1")
    if result.plan is not None:
        print_line(result.plan.rstrip())


def inspect(arguments: Namespace) -> None:
    from builder.inspection import Inspection, inspect_path

    with listening(quiet=arguments.quiet) as listener:
        found = inspect_path(arguments.path, listener)
    if arguments.json:
        print_json(found, Inspection)
        return
    title = f"{found.path}: {found.kind}, {size(found.bytes)}"
    if found.manifest is not None:
        print_line(title)
        show_variants(found.manifest)
        show_findings(found.findings, verbose=True)
    elif found.stored:
        rows = table(title, "layer", "op", "scheme", "weights>", "bytes>")
        for stored in found.stored:
            add_row(
                rows,
                stored.name,
                stored.op,
                stored.scheme,
                "x".join(map(str, stored.weight_shape)),
                f"{stored.weight_bytes:,}",
            )
        results.print(rows)
    else:
        rows = table(title, "layer", "op", "weights>", "params>", "MACs>")
        for layer in found.layers:
            add_row(
                rows,
                layer.name,
                layer.op,
                "x".join(map(str, layer.weight_shape)),
                f"{layer.params:,}",
                f"{layer.macs:,}",
            )
        results.print(rows)
    for coverage in (*([found.coverage] if found.coverage else []), *found.predicted):
        print_line(_coverage_text(coverage))


def _coverage_text(coverage: Coverage) -> str:
    verb = "would take" if coverage.source == "predicted" else "takes"
    share = "" if coverage.mac_share is None else f", {coverage.mac_share:.1%} of the multiply-accumulates"
    more = len(coverage.left) - _NAMED
    left = f"; left: {', '.join(coverage.left[:_NAMED])}" if coverage.left else ""
    left += f" and {more} more, all named with --json" if more > 0 else ""
    return (
        f"{coverage.delegate} {verb} {coverage.delegated_ops} of {coverage.total_ops} ops in {coverage.subgraphs} subgraphs{share} "
        f"({coverage.source}){left}"
    )


def export(arguments: Namespace) -> None:
    from builder.jobs import ExportResult

    with listening(quiet=arguments.quiet) as listener:
        found = pipeline.export(
            arguments.config,
            formats=arguments.format,
            dynamic=arguments.dynamic,
            out=arguments.output,
            listener=listener,
        )
    if arguments.json:
        print_json(found, tuple[ExportResult, ...])
        return
    rows = table("exports", "format", "file", "worst dB>", "samples>", "run by")
    for result in found:
        for file in result.files:
            agreement = result.agreement
            add_row(
                rows,
                result.format,
                file.file,
                f"{agreement.psnr_db_worst:.1f}",
                str(agreement.samples),
                agreement.runtime,
            )
    results.print(rows)
    print_line(f"exports: {arguments.output}")


COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "doctor": doctor,
    "inspect": inspect,
    "plan": plan,
    "search": search,
    "convert": convert,
    "export": export,
    "verify": verify,
    "package": package,
}
