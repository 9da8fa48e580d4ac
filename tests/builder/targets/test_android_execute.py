"""Android's own TensorFlow Lite, out of the archives that packages are made of, run here over the stand-in for Android's C library."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from builder.backends import tflite
from builder.bundle import Bundle, Golden, GoldenOutputs, GoldenTensor, Variant
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.execute.findings import execute_and_judge
from builder.targets.android.execute.run import execute_package
from builder.targets.android.execute.shim import build_shim
from builder.targets.android.host import maven
from builder.targets.android.host.maven import Wanted
from builder.targets.mobile import find_mobile_root
from tests.builder.models import SIZE, make_picture_model, plan_of, samples, seeded

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own

Make = Callable[[str, str, str], Bundle]


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.b(self.a(image).relu()).sigmoid()


class LessItsMean(Plain):
    """A picture less one number: `SUB (1,H,W,C) - (1,1,1,1)` behind a convolution to one channel, as norms over all channels were once."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.a(image)
        return self.b(x - self.one(x.mean((2, 3), keepdim=True))).sigmoid()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both libraries of the catalogue's TensorFlow Lite as an app carries them."""
    wanted = tuple(Wanted(alias=alias, packaging="aar", alone=True) for alias in ("tflite", "tflite-gpu"))
    archives = maven.resolve(Catalogue.read(find_mobile_root() / "android"), {"execute": wanted})["execute"]
    path = tmp_path_factory.mktemp("package") / "app.apk"
    with zipfile.ZipFile(path, "w") as app:
        for archive in archives:
            # Class paths have the classes out of an archive; its libraries lie in the archive beside.
            with zipfile.ZipFile(archive if archive.suffix == ".aar" else next(archive.parent.glob("*.aar"))) as source:
                for name in source.namelist():
                    if name.startswith("jni/x86_64/"):
                        app.writestr(name.replace("jni/", "lib/"), source.read(name))
    return path


NETWORKS: dict[str, type[nn.Module]] = {"plain": Plain, "less-its-mean": LessItsMean}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Make:
    """A bundle of one variant: network, scheme, delegate. Its golden is what LiteRT gives here."""

    def made(network: str, scheme: str, delegate: str) -> Bundle:
        root = tmp_path_factory.mktemp("bundle")
        model = make_picture_model(seeded(NETWORKS[network]))
        path = root / "a.tflite"
        plan = plan_of(dict.fromkeys(model.layers.names(), scheme))
        lowered = tflite.lower(model, plan, delegate, lambda: tflite.observe(model, samples(model)), path)
        sample = next(samples(model, 1))
        result = tflite.runner(path, lowered.inputs, lowered.outputs, 1)(sample)["stylized"]
        (root / "in.f32").write_bytes(sample["image"].astype("<f4").tobytes())
        (root / "out.f32").write_bytes(np.ascontiguousarray(result).astype("<f4").tobytes())
        variant: Variant = bundle.manifest.variants[0].model_copy(
            update={
                "id": "only",
                "delegate": delegate,
                "file": path.name,
                "inputs": lowered.inputs,
                "outputs": lowered.outputs,
            }
        )
        output = (GoldenTensor(name="stylized", file="out.f32", encoding="f32"),)
        golden = Golden(
            id="0",
            inputs=(GoldenTensor(name="image", file="in.f32", encoding="f32"),),
            expected=(GoldenOutputs(variant="only", tensors=output, min_psnr_db=28.0),),
            reference=output,
        )
        shape = (1, 3, SIZE, SIZE)
        update = {
            "variants": (variant,),
            "goldens": (golden,),
            "inputs": tuple(spec.model_copy(update={"shape": shape}) for spec in bundle.manifest.inputs),
            "outputs": tuple(spec.model_copy(update={"shape": shape}) for spec in bundle.manifest.outputs),
        }
        return Bundle(root, bundle.manifest.model_copy(update=update))

    return made


def test_xnnpack_and_the_gpu_of_the_packaged_library_run_its_variants(package: Path, make: Make) -> None:
    """The same file by TensorFlow Lite 2.16.1: XNNPACK gives LiteRT's picture, OpenGL ES in fp16 nearly."""
    (cpu,) = execute_package(package, make("plain", "fp32", "xnnpack"))
    assert cpu.runtime == "TensorFlow Lite 2.16.1 of the package (XNNPACK)"
    assert (cpu.delegated, cpu.unproven, cpu.failure) == ("3 of 3", "", "")
    assert cpu.psnr_db is not None
    assert cpu.psnr_db > 100
    (gpu,) = execute_package(package, make("plain", "fp32", "gpu"))
    assert gpu.runtime == "TensorFlow Lite 2.16.1 of the package (OpenGL ES)"
    assert gpu.psnr_db is not None
    assert 40 < gpu.psnr_db < 100


def test_a_variant_that_the_packaged_gpu_delegate_cannot_run_stops_the_package(package: Path, make: Make) -> None:
    """Weights of int8 alone: LiteRT runs the file, TensorFlow Lite 2.16.1's GPU delegate does not start on it."""
    found = execute_and_judge([package], make("plain", "weight_only_wi8_afp32", "gpu"))
    assert [(finding.level, finding.code) for finding in found] == [("error", "executed")]
    assert (
        "carries TensorFlow Lite 2.16.1 (OpenGL ES), which cannot run variant only: it ended with status 1"
        in found[0].message
    )
    assert "give the variant another scheme or delegate" in found[0].message


def test_a_library_that_aborts_is_a_finding_and_takes_nothing_with_it(package: Path, make: Make) -> None:
    """The delegate's OpenGL back end aborts the process on a difference with one number: an app would die without an error."""
    found = execute_and_judge([package], make("less-its-mean", "fp32", "gpu"))
    assert [finding.level for finding in found] == ["error"]
    assert "the process was ended by SIGABRT" in found[0].message


def test_static_int8_runs_by_plain_kernels_where_the_processor_kills_xnnpack(package: Path, make: Make) -> None:
    """TensorFlow Lite 2.16.1 for x86_64 dies with AVX-512; that is said, and is no fault of the package."""
    (found,) = execute_package(package, make("plain", "static_wi8_ai8", "xnnpack"))
    assert found.passed
    assert found.psnr_db is not None
    assert ("AVX-512" in found.remark) == ("plain kernels" in found.runtime)


def test_what_cannot_run_here_is_unproven_with_the_reason(
    package: Path, make: Make, bundle: Bundle, tmp_path: Path
) -> None:
    """No library for this processor, a runtime that needs Java, and a library that wants what nobody has."""
    small = make("plain", "fp32", "xnnpack")
    with zipfile.ZipFile(tmp_path / "empty.apk", "w") as empty:
        empty.writestr("lib/arm64-v8a/libtensorflowlite_jni.so", b"")
    (none,) = execute_package(tmp_path / "empty.apk", small)
    assert none.unproven == "the package carries no TensorFlow Lite for x86_64, which could run here"
    others = {e.variant: e for e in execute_package(package, bundle)}
    assert "run through Java" in others[bundle.manifest.variants[2].id].unproven

    (tmp_path / "android.map").write_text("LIBC { global: no_such_function; };")
    (tmp_path / "libc.c").write_text("void no_such_function(void) {}")
    (tmp_path / "user.c").write_text("void no_such_function(void); void use(void) { no_such_function(); }")
    compiler = ["gcc", "-shared", "-fPIC", "-nostdlib", "-o"]
    library = tmp_path / "libtensorflowlite_jni.so"
    subprocess.run(
        [*compiler, tmp_path / "libc.so", tmp_path / "libc.c", f"-Wl,--version-script={tmp_path / 'android.map'}"],
        check=True,
    )
    subprocess.run([*compiler, library, tmp_path / "user.c", tmp_path / "libc.so"], check=True)
    with zipfile.ZipFile(tmp_path / "newer.apk", "w") as newer:
        newer.write(library, "lib/x86_64/libtensorflowlite_jni.so")
    (lacking,) = execute_package(tmp_path / "newer.apk", small)
    assert lacking.unproven == "its libraries need no_such_function of Android's C library, which is not known here"
    (warning,) = execute_and_judge([tmp_path / "newer.apk"], small)
    assert (warning.level, warning.code) == ("warning", "unproven")


def test_the_stand_in_is_made_once(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    libraries = sorted(tmp_path.rglob("*.so"))
    first = build_shim(libraries)
    before = (first / "libc.so").stat().st_mtime_ns
    assert (build_shim(libraries) / "libc.so").stat().st_mtime_ns == before
