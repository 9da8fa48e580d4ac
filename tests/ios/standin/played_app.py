"""The benchmark app, played: what it leaves in its Documents folder for the arguments that it is launched with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

WORDS = ("run", "variant", "id", "warmup", "runs", "bundle", "output", "device")
HOT_FOR = 2  # askings of a phone that cools down


def play(documents: Path, arguments: list[str], fault: str, *, simulator: bool) -> str:
    """Write record and outputs, spoilt by the fault; what the app prints."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    asked = {name.removeprefix("-edgebundle-"): value for name, value in given.items()}
    if set(asked) == {"run", "output"} and asked["run"] == "conditions":
        return _tell_conditions(documents, asked["output"], fault)
    if set(asked) - {"seconds"} != set(WORDS):
        return f"unknown arguments {arguments}"
    if fault == "app-crash-at-launch":
        return ""
    printed = "2026-01-05 10:00:01.000 Edgebundle[4001:1] some framework says something\r\n"
    if fault == "app-crash-late":
        return printed
    if fault == "app-error":
        return printed + 'EDGEBUNDLE_RUN {"end":"failed","error":"Core ML cannot load variant."}\r\n'
    bundle = documents / asked["bundle"]
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    variant = next(v for v in manifest["variants"] if v["id"] == asked["variant"])
    _outputs(documents, bundle, manifest, asked, fault)
    line = json.dumps(_record(bundle, manifest, variant, asked, fault, simulator=simulator))
    if fault == "record-truncated":
        line = line[: len(line) // 2]
    if fault != "record-missing":
        (documents / asked["output"]).write_text(line + "\n", encoding="utf-8")
    return (
        printed
        + f'EDGEBUNDLE_RUN {{"variant":"{asked["variant"]}","verdict":"ok"}}\r\nEDGEBUNDLE_RUN {{"end":"done"}}\r\n'
    )


def _tell_conditions(documents: Path, output: str, fault: str) -> str:
    """The state of a phone that is hot at first where the fault says so."""
    seen = documents / ".asked"
    times = int(seen.read_text()) + 1 if seen.exists() else 1
    seen.write_text(str(times))
    if fault != "state-missing":
        hot = fault == "hot" and times <= HOT_FOR
        text = json.dumps(_conditions(2 if hot else 0))
        (documents / output).write_text(text[:9] if fault == "state-truncated" else text, encoding="utf-8")
    return ""


def _conditions(thermal: int) -> dict:  # type: ignore[type-arg]
    return {
        "temperature_c": {"value": None, "reason": "the played app tells none", "unit": "degC"},
        "thermal_status": {"value": thermal, "unit": "status"},
        "battery_percent": {"value": 80, "unit": "%"},
        "charging": {"value": "charging"},
    }


def _outputs(documents: Path, bundle: Path, manifest: dict, asked: dict, fault: str) -> None:  # type: ignore[type-arg]
    from builder.bundle import parse_manifest
    from builder.bundle.tensors import read_golden

    read = parse_manifest(json.dumps(manifest), where="the pushed bundle")
    expected = next(e for e in read.goldens[0].expected if e.variant == asked["variant"])
    for tensor, spec in zip(expected.tensors, read.outputs, strict=True):
        values = read_golden(bundle, tensor, spec).astype("<f4")
        if fault == "wrong-colours":
            values = values[:, ::-1].copy()
        if fault == "not-finite":
            values = values * float("nan")
        content = values.tobytes()
        if fault == "output-truncated":
            content = content[:-4]
        if fault != "output-missing":
            (documents / f"{asked['id']}.{tensor.name}.f32").write_bytes(content)


def _record(bundle: Path, manifest: dict, variant: dict, asked: dict, fault: str, *, simulator: bool) -> dict:  # type: ignore[type-arg]
    runs = int(asked["runs"]) - (1 if fault == "record-fewer-runs" else 0)
    runs = max(runs, int(float(asked.get("seconds", 0)) / 0.004))
    hot = fault == "throttled"
    missing = {"value": None, "reason": "the played app tells none"}
    conditions = _conditions(0)
    compiling = {"value": 81_000_000, "unit": "ns"}
    if fault == "compiled-once" and asked["runs"] != "1":
        compiling = {"value": None, "unit": "ns", "reason": "it was compiled by an earlier run"}
    return {
        "schema": 2,
        "id": "0" * 32 if fault == "record-of-another-run" else asked["id"],
        "started_at": "2026-01-05T10:00:00Z",
        "model_name": manifest["model"]["name"],
        "bundle_sha256": hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest(),
        "variant": variant["id"],
        "variant_sha256": variant["sha256"],
        "variant_bytes": variant["bytes"],
        "backend": "coreml",
        "device": {
            "kind": "ios-simulator" if simulator else "ios",
            "id": asked["device"],
            **dict.fromkeys(("model", "soc", "os", "build", "abi"), missing),
        },
        "mode": "app",
        "runtime": "Core ML",
        "runtime_version": "Version 18.5 (Build 22F77)",
        "delegate_requested": variant["delegate"],
        "delegate_executed": {"value": variant["delegate"]},
        "threads": 1,
        "protocol": {"name": asked["run"], "warmup": int(asked["warmup"]), "runs": runs},
        "conditions_start": conditions,
        "conditions_end": conditions,
        "metric": "latency",
        "simulated": "simulator: not device-representative" if simulator and fault != "record-unlabelled" else None,
        "compile_ns": compiling,
        "load_ns": {"value": 5_000_000, "unit": "ns"},
        "first_ns": {"value": 9_000_000, "unit": "ns"},
        "latency_ns": [4_000_000 + 1000 * (17 * number % 7) for number in range(runs)],
        "instructions": {**missing, "unit": "instructions"},
        "peak_memory_bytes": {"value": 41_000_000, "unit": "B"},
        "op_devices": [{"op": "ios16.conv", "device": "neural engine"}],
        "samples": [{"t_s": 0.5, "probe": "thermal_status", "value": 3 if hot else 0, "unit": "status"}],
        "verdict": {"grade": "ok", "code": "ok", "detail": {}},
    }
