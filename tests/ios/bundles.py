"""A real Core ML bundle for tests: the network of tests/builder/projects.py, converted by the product, kept in its cache."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path

from builder.bundle import Bundle, TensorSpec
from builder.pipeline.story import make_bundle
from builder.project.project import open_project
from builder.project.variants import choose_variants
from builder.steps.listener import Silent
from builder.storage.output import copy_into
from harness.cache import make_entry
from tests.builder.projects import CONFIG, make_project

SIZE = 32
IMAGE = TensorSpec(
    name="image", kind="image", shape=(1, 3, SIZE, SIZE), color_order="RGB", range=(0.0, 1.0), resize="center_crop"
)
COREML_CONFIG = (
    CONFIG.partition("[[variant]]")[0]
    + """
[[variant]]
backend = "coreml"
delegate = "all"
scheme = "fp16"

[[variant]]
backend = "coreml"
delegate = "all"
scheme = "fp32"

[package.ios]
bundle_identifier = "org.example.small"
"""
)


def write_coreml_project(folder: Path, config: str = COREML_CONFIG) -> Path:
    """A project with Core ML variants and settings for iOS; the same inputs, and so the same cached steps, every time."""
    make_project(folder)
    (folder / "builder.toml").write_text(config, encoding="utf-8")
    return folder


@cache
def make_coreml_bundle() -> Bundle:
    """The bundle of that project, made on first use and kept by this file's text and the converter's version."""
    key = hashlib.sha256(Path(__file__).read_bytes() + metadata.version("coremltools").encode()).hexdigest()[:20]
    return Bundle.open(make_entry(f"tests/coreml-bundle-{key}", _make))


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        project = open_project(write_coreml_project(Path(work)))
        copy_into(make_bundle(project, choose_variants(project.config, ()), Silent()).root, folder)
