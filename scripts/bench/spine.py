"""The main job: quality, size, time and sameness of what it makes, beside the converters' own defaults."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from bench.table import ROOT, Row, run, time_best_of
from bench.warm import measure as measure_warm

EXAMPLE = ROOT / "examples" / "tiny_style"
CHANGED_S = 3.0


def read_contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def read_apk(apk: Path) -> list[tuple[str, int, bytes]]:
    """Everything of an APK but its signing block, which is no zip entry."""
    with zipfile.ZipFile(apk) as archive:
        return [(info.filename, info.header_offset, archive.read(info)) for info in archive.infolist()]


def make_quality_rows(manifest: dict[str, Any]) -> list[Row]:
    rows = []
    floors = {"tflite-xnnpack-fp32": 100, "executorch-xnnpack-fp32": 100, "coreml-all-fp32": 100, "coreml-all-fp16": 50}
    for variant in manifest["variants"]:
        worst = variant["quality"]["psnr_db_worst"]
        if variant["id"] in floors:
            floor = floors[variant["id"]]
            rows.append(
                Row(
                    what=f"{variant['id']}, worst picture, {variant['quality']['runtime']}",
                    figure=f">= {floor} dB",
                    measured=f"{worst:.1f} dB",
                    reached=worst >= floor,
                )
            )
    return rows


def make_size_row(manifest: dict[str, Any], stock: dict[str, Any]) -> Row:
    variant = next(v for v in manifest["variants"] if v["id"] == "tflite-xnnpack-plan")
    ours, quality = variant["bytes"], variant["quality"]
    return Row(
        what=f"the int8 artifact ({variant['id']}), {quality['psnr_db_worst']:.1f} dB worst, {quality['psnr_db_mean']:.1f} dB mean",
        figure="<= 17 KB",
        measured=f"{ours:,} B",
        reached=ours <= 17_000,
        instead=f"stock static int8: {stock['bytes']:,} B at {stock['psnr']:.1f} dB worst; ours {ours / stock['bytes']:.2f}x the bytes, {quality['psnr_db_worst'] - stock['psnr']:+.1f} dB",
    )


STOCK = """
import contextlib, io, json, sys
from pathlib import Path
import numpy as np, torch
sys.path.insert(0, sys.argv[1])
import model
from safetensors.torch import load_file
from PIL import Image
folder = Path(sys.argv[1])
net = model.create().eval()
net.load_state_dict(load_file(folder / "tiny_style.safetensors"))
def pictures(name):
    for path in sorted((folder / "images" / name).iterdir()):
        yield np.asarray(Image.open(path).convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
with contextlib.redirect_stdout(io.StringIO()):
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe
    out = Path(sys.argv[2])
    litert_torch.convert(net, (torch.zeros(1, 3, 256, 256),)).export(str(out / "stock.tflite"))
    q = quantizer.Quantizer(str(out / "stock.tflite"))
    q.load_quantization_recipe(recipe.static_wi8_ai8())
    calibration = {"serving_default": [{"args_0": x} for x in pictures("calibration")]}
    q.quantize(q.calibrate(calibration)).export_model(str(out / "stock_int8.tflite"))
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(str(out / "stock_int8.tflite"))
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    psnrs = []
    for x in pictures("evaluation"):
        if source["dtype"] == np.int8:
            scale, zero = source["quantization"]
            interpreter.set_tensor(source["index"], np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8))
        else:
            interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        y = interpreter.get_tensor(target["index"]).astype(np.float32)
        if target["dtype"] == np.int8:
            scale, zero = target["quantization"]
            y = (y - zero) * scale
        with torch.no_grad():
            reference = net(torch.from_numpy(x)).numpy()
        psnrs.append(float(10 * np.log10(1 / np.mean((y - reference) ** 2))))
print(json.dumps({"bytes": (out / "stock_int8.tflite").stat().st_size, "fp32_bytes": (out / "stock.tflite").stat().st_size, "psnr": min(psnrs)}))
"""


def convert_stock(work: Path) -> dict[str, Any]:
    """What a user gets by the converters' own defaults: litert-torch and the static int8 recipe of ai-edge-quantizer."""
    result: dict[str, Any] = json.loads(run("python", "-c", STOCK, EXAMPLE, work)[1].stdout.splitlines()[-1])
    return result


def plan_change(cache: Path, work: Path) -> Row:
    """After a change of plan.toml alone, which steps run again."""
    project = work / "changed"
    shutil.copytree(EXAMPLE, project)
    plan = project / "plan.toml"
    plan.write_text(plan.read_text() + '\n[[rule]]\nmatch = "tail"\nscheme = "fp32"\n')
    run("builder", "convert", EXAMPLE, "--backend", "tflite", "-o", work / "before", cache=cache)
    seconds, done = run("builder", "convert", project, "--backend", "tflite", "-o", work / "after", cache=cache)
    with tempfile.TemporaryDirectory(dir=work) as out:  # what a plan takes that way: the whole conversion
        stock_s = run("python", "-c", STOCK, EXAMPLE, out)[0]
    redone = [line.strip() for line in done.stderr.splitlines() if ":" in line and "unchanged" not in line]
    return Row(
        what="only the plan changed",
        figure=f"only that variant is lowered again, <= {CHANGED_S:g} s",
        measured=f"{len(redone)} step: {'; '.join(redone)} ({seconds:.1f} s in all)",
        reached=len(redone) == 1 and "plan" in redone[0] and seconds <= CHANGED_S,
        instead=f"the stock converters again: {stock_s:.1f} s, {seconds / stock_s:.2f}x",
    )


def measure() -> list[Row]:
    """The figures of the main job; about fifteen minutes."""
    rows: list[Row] = measure_warm()
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        work = Path(folder)
        first, second = work / "cache1", work / "cache2"
        cold, _ = run("builder", "convert", EXAMPLE, "-o", work / "bundle1", cache=first)
        run("builder", "convert", EXAMPLE, "-o", work / "bundle2", cache=second)
        manifest = json.loads((work / "bundle1" / "manifest.json").read_text())
        rows += make_quality_rows(manifest)
        rows.append(make_size_row(manifest, convert_stock(work)))

        packaged, _ = run("builder", "package", EXAMPLE, "--target", "android", "-o", work / "android1", cache=first)
        run("builder", "package", EXAMPLE, "--target", "android", "-o", work / "android2", cache=second)
        warm = time_best_of(
            3, "builder", "package", EXAMPLE, "--target", "android", "-o", work / "android1", cache=first
        )
        rows.append(
            Row(
                what="builder package --target android, warm",
                figure="<= 2 s",
                measured=f"{warm:.2f} s",
                reached=warm <= 2,
                instead=f"without the cache {cold + packaged:.0f} s: {(cold + packaged) / warm:.0f}x",
            )
        )
        rows.append(plan_change(first, work))

        same = read_contents(work / "bundle1") == read_contents(work / "bundle2")
        rows.append(
            Row(
                what="two clean builds of the bundle",
                figure="byte-identical",
                measured="identical" if same else "different",
                reached=same,
            )
        )
        apks = [next((work / name).glob("*.apk")) for name in ("android1", "android2")]
        same = read_apk(apks[0]) == read_apk(apks[1])
        rows.append(
            Row(
                what="two clean builds of the APK, each signed with a fresh key",
                figure="identical but for the signature",
                measured="identical" if same else "different",
                reached=same,
            )
        )
    bare = time_best_of(5, "python", "-c", "pass")
    for program in ("builder", "harness"):
        seconds = time_best_of(5, program, "--help")
        rows.append(
            Row(
                what=f"{program} --help",
                figure="<= 0.3 s",
                measured=f"{seconds:.2f} s",
                reached=seconds <= 0.3,
                instead=f"bare python {bare:.2f} s: {seconds / bare:.1f}x",
            )
        )
    return rows
