"""Which variants a package is made of: those whose files its runtime executes."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.backends import list_backends
from builder.errors import ConfigError
from builder.pipeline import story
from builder.project.config import Config
from builder.steps.listener import Silent
from builder.targets import TARGETS
from builder.targets.android.host.flavours import FLAVOURS
from builder.targets.base import PackageOptions, Runtime

EXPECTED = {
    "tflite": ["tflite"], "litert": ["tflite"], "executorch": ["executorch"], "executorch-vulkan": ["executorch"],
}  # fmt: skip


def package_section(text: dict[str, object]) -> Config:
    return Config.model_validate(
        {
            "model": {"name": "net", "source": "net.onnx", "licence": "MIT"},
            "input": [{"name": "x", "kind": "vector", "shape": [1, 2]}],
            "output": [{"name": "y", "kind": "vector"}],
            "data": {"evaluation": "*"},
            "variant": [{"backend": "tflite", "delegate": "xnnpack", "scheme": "fp32"}],
            "package": {"ios": text},
        }
    )


def test_each_runtime_of_android_takes_the_files_that_it_executes() -> None:
    """By the name of the runtime, which is not always that of a backend; the first one is the usual one."""
    android = TARGETS["android"]
    assert list(FLAVOURS) == list(android.RUNTIMES)
    taken = {name: list_backends(android.takes(Runtime(name=name), None)) for name in android.RUNTIMES}
    assert taken == EXPECTED
    assert android.takes(None, None) == android.takes(Runtime(name=android.RUNTIMES[0]), None)
    with pytest.raises(ConfigError, match="unknown Android runtime 'litet'; did you mean 'litert'"):
        android.takes(Runtime(name="litet"), None)


def test_an_ios_app_takes_what_its_section_asks_for() -> None:
    """ExecuTorch's variants are converted for an app that carries their runtime, and for no other."""
    for asked, backends in ((True, ["coreml", "executorch"]), (False, ["coreml"])):
        section = package_section({"bundle_identifier": "org.example.app", "executorch": asked}).package.of("ios")
        assert list_backends(TARGETS["ios"].takes(None, section)) == backends


@pytest.mark.parametrize("target", [name for name, target in TARGETS.items() if not target.RUNTIMES])
def test_a_target_without_a_choice_refuses_a_runtime(tmp_path: Path, target: str) -> None:
    """It would be left unread."""
    options = PackageOptions(runtime=Runtime(name="tflite"))
    asked = story.Packaging(source=tmp_path, target=target, out=tmp_path / "out", options=options)
    with pytest.raises(ConfigError, match=f"packages for {target} have no choice .* leave out --runtime tflite"):
        story.package(asked, Silent())
