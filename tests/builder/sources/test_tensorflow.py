"""SavedModels by way of an environment of their own: the one test that installs TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from builder.errors import MissingToolError, SourceError
from builder.process import run
from builder.sources import load_checked
from builder.storage.environments import COMPLETE, TENSORFLOW, Environment, make_python
from tests.builder.sources.onnx_files import config

MAKE = """
import os, sys
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
import keras, tensorflow as tf
from keras import layers as L
keras.utils.set_random_seed(0)
image = keras.Input((None, None, 3), name="image")
x = L.Conv2D(8, 3, padding="same", name="enc_1")(image)
x = L.ReLU(name="relu")(L.GroupNormalization(groups=-1, name="norm")(x))
x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="enc_2")(x)
x = L.Conv2DTranspose(8, 3, strides=2, padding="same", name="dec")(x)
model = keras.Model(image, L.Conv2D(3, 1, activation="sigmoid", name="out")(x))
model.export(sys.argv[1], format="tf_saved_model", verbose=False)
"""


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A style network saved by TensorFlow, in an environment made in an empty cache; its announcements are kept."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBUNDLE_CACHE", str(cache))
        said: list[str] = []
        python = make_python(TENSORFLOW, said.append)
        assert len(said) == 1
        assert "tensorflow-cpu==2.19.1" in said[0]
        assert "1.5 GB" in said[0]
        assert make_python(TENSORFLOW, said.append) == python
        assert len(said) == 1
        path = tmp_path_factory.mktemp("model") / "saved"
        run([python, "-c", MAKE, path], timeout_s=300)
        yield path


def test_a_saved_model_agrees_with_tensorflow_and_keeps_its_layers(saved_model: Path) -> None:
    """NHWC and open sizes become NCHW of builder.toml; layers have Keras's names; TensorFlow is the judge."""
    model, agreement = load_checked(config("saved", {"image": [1, 3, 16, 16]}, kind="image"), saved_model.parent, ())
    assert agreement is not None
    assert agreement.runtime == "TensorFlow 2.19.1"
    assert agreement.psnr_db_worst >= 100
    assert [name.rpartition(".")[2] for name in model.layers.names()] == ["enc_1_1", "enc_2_1", "dec_1", "out_1"]
    assert model.outputs[0].shape == (1, 3, 16, 16)
    with torch.no_grad():
        assert model.program.module()(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    with pytest.raises(SourceError, match=r"has 1 inputs .* but builder.toml names 2"):
        load_checked(config("saved", {"image": [1, 3, 16, 16], "style": [1]}), saved_model.parent, ())


def test_a_directory_that_is_no_saved_model_is_named(tmp_path: Path) -> None:
    """Before any environment is made."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"is no SavedModel: it has no saved_model\.pb"):
        load_checked(config("empty", {"image": [1, 3, 16, 16]}), tmp_path, ())
    with pytest.raises(SourceError, match="does not exist"):
        load_checked(config("nothing", {"image": [1, 3, 16, 16]}), tmp_path, ())


def test_an_environment_that_cannot_be_installed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installer's last line, what to check, and no half environment that a later run would take."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path))
    broken = Environment(name="broken", packages=("./no-such-package-here",), bytes=1_000_000)
    with pytest.raises(MissingToolError, match=r"the environment broken could not be installed: .*then run again"):
        make_python(broken, lambda text: None)
    assert not list((tmp_path / "environments").rglob(COMPLETE))
    assert not list((tmp_path / "environments").iterdir())
