"""Keras 3 files become NCHW networks by layer name, equal to what Keras computes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from builder.errors import EdgebundleError, SourceError, UnsupportedOperation
from builder.project.config import Config
from builder.sources import load_checked
from builder.sources.keras import import_keras
from tests.builder.sources.onnx_files import config

pytestmark = pytest.mark.filterwarnings("ignore")

keras = import_keras()
L = keras.layers


def style_net(size: int | None = None) -> Any:
    """What style networks have, with layers that are rebuilt and, at its end, some that are not."""
    keras.utils.set_random_seed(0)
    image = keras.Input((size, size, 3), name="image")
    x = L.Conv2D(8, 3, padding="same", name="enc_1")(image)
    x = L.ReLU(name="relu")(L.GroupNormalization(groups=-1, name="norm")(x))
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="enc_2")(x)
    y = L.LeakyReLU(name="leaky")(
        L.BatchNormalization(name="bn")(L.DepthwiseConv2D(3, padding="same", name="res0_dw")(x))
    )
    x = L.Add(name="plus")([x, L.Conv2D(16, 1, name="res0_pw")(y)])
    x = L.Conv2DTranspose(8, 3, strides=2, padding="same", name="dec")(x)
    x = L.UpSampling2D(2, interpolation="bilinear", name="up")(x)
    x = L.SeparableConv2D(8, 3, strides=2, padding="same", name="sep")(x)
    return keras.Model(image, L.Conv2D(3, 1, activation="sigmoid", name="out")(x))


def load(
    path: Path, shape: tuple[int, ...] = (1, 3, 16, 16), kind: str = "image", names: tuple[str, ...] = ("y",)
) -> Any:
    return load_checked(config(path.name, {"image": shape}, names, kind=kind), path.parent, ())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_style_network_is_rebuilt_by_layer(tmp_path: Path, suffix: str) -> None:
    """Layers have Keras's names, sizes come from builder.toml, and the result is that of Keras."""
    path = tmp_path / f"net{suffix}"
    style_net().save(path)
    model, agreement = load(path)
    assert model.layers.names() == [
        "enc_1", "enc_2", "res0_dw", "res0_pw", "dec", "sep.depthwise", "sep.pointwise", "out",
    ]  # fmt: skip
    assert agreement.psnr_db_worst >= 100
    assert agreement.runtime.startswith("Keras 3.")
    assert not [n for n in model.program.graph.nodes if "permute" in str(n.target)]


SINGLE: dict[str, Callable[[], Any]] = {
    "conv strides 2 same even": lambda: L.Conv2D(4, 4, strides=2, padding="same"),
    "conv dilated groups": lambda: L.Conv2D(6, 3, dilation_rate=2, groups=3, padding="same", activation="gelu"),
    "conv valid": lambda: L.Conv2D(4, (2, 3), strides=(1, 2), use_bias=False),
    "depthwise multiplier": lambda: L.DepthwiseConv2D(
        3, strides=2, padding="same", depth_multiplier=2, activation="silu"
    ),
    "transposed 2": lambda: L.Conv2DTranspose(4, 2, strides=2, padding="same"),
    "transposed 3": lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same"),
    "transposed 4": lambda: L.Conv2DTranspose(4, 4, strides=2, padding="same"),
    "transposed 5": lambda: L.Conv2DTranspose(4, 5, strides=2, padding="same"),
    "transposed 1 (island)": lambda: L.Conv2DTranspose(4, 1, strides=2, padding="same"),
    "transposed valid": lambda: L.Conv2DTranspose(4, 3, strides=2),
    "batch norm bare": lambda: L.BatchNormalization(scale=False, center=False, epsilon=1e-2),
    "group norm": lambda: L.GroupNormalization(groups=3, scale=False),
    "relu6": lambda: L.ReLU(max_value=6.0),
    "relu 2": lambda: L.ReLU(max_value=2.0),
    "relu slope": lambda: L.ReLU(negative_slope=0.1),
    "relu threshold (island)": lambda: L.ReLU(threshold=0.3),
    "prelu shared": lambda: L.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal"),
    "prelu by element (island)": lambda: L.PReLU(alpha_initializer="random_normal"),
    "layer norm": lambda: L.LayerNormalization(),
    "normalization": lambda: L.Normalization(
        mean=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], variance=[0.04, 0.05, 0.06, 0.07, 0.08, 0.0]
    ),
    "normalization back": lambda: L.Normalization(mean=0.4, variance=0.09, invert=True),
    "resizing": lambda: L.Resizing(7, 20),
    "resizing nearest (island)": lambda: L.Resizing(24, 9, interpolation="nearest"),
    "center crop": lambda: L.CenterCrop(7, 6),
    "random flip": lambda: L.RandomFlip(),
    "random rotation": lambda: L.RandomRotation(0.2),
    "upsampling nearest": lambda: L.UpSampling2D((2, 3)),
    "upsampling bicubic (island)": lambda: L.UpSampling2D(2, interpolation="bicubic"),
    "padding": lambda: L.ZeroPadding2D(((1, 2), (0, 3))),
    "cropping": lambda: L.Cropping2D(((1, 2), (0, 3))),
    "rescaling": lambda: L.Rescaling(1 / 127.5, offset=-1),
    "rescaling by channel": lambda: L.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], offset=[0.5] * 6),
    "max pool": lambda: L.MaxPooling2D(3, strides=2),
    "max pool same odd (island)": lambda: L.MaxPooling2D(2, padding="same"),
    "average pool same odd (island)": lambda: L.AveragePooling2D(3, strides=2, padding="same"),
    "global average": lambda: L.GlobalAveragePooling2D(),
    "global max": lambda: L.GlobalMaxPooling2D(keepdims=True),
    "flatten (island)": lambda: L.Flatten(),
    "dropout": lambda: L.Dropout(0.5),
    "softmax (island)": lambda: L.Softmax(),
    "hard swish": lambda: L.Activation("hard_swish"),
    "dense on pictures": lambda: L.Dense(5, activation="tanh"),
    "elu": lambda: L.ELU(),
}


@pytest.mark.parametrize("name", SINGLE)
def test_every_layer_gives_what_keras_gives(name: str) -> None:
    """Each layer alone, with weights that are not their start, rebuilt or as an island as its name here says."""
    from builder.sources.keras.rebuild import rebuild

    keras.utils.set_random_seed(1)
    image = keras.Input((12, 9, 6), name="image")
    layer = SINGLE[name]()
    model = keras.Model(image, layer(image))
    for variable in layer.weights:
        if "seed" not in variable.path:
            variable.assign(np.random.default_rng(0).uniform(0.2, 1.0, variable.shape).astype(np.float32))
    model.trainable = False
    x = torch.randn(1, 6, 12, 9)
    imported, islands = rebuild(model, [x])
    assert bool(islands) == name.endswith("(island)")
    with torch.no_grad():
        want = model(x.permute(0, 2, 3, 1), training=False)
        got = imported.module()(x)
    want = want.permute(0, 3, 1, 2) if want.ndim == 4 else want
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_nested_models_shared_layers_and_operations_with_constants(tmp_path: Path) -> None:
    """Models within models are prefixed, a layer called twice is one layer, and keras.ops keep their constants."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((None, None, 4)), L.Conv2D(4, 3, padding="same", activation="relu", name="conv")], name="block"
    )
    image = keras.Input((16, 16, 3), name="image")
    first = L.Conv2D(4, 1, name="first")
    shared = L.Conv2D(4, 3, padding="same", name="shared")
    x = inner(first(image))
    x = shared(shared(x)) * 0.5 + keras.ops.sigmoid(x) - 0.25
    x = keras.ops.maximum(x, 0.1)
    y = L.Concatenate(name="cat")([x, L.Average(name="mean")([x, keras.ops.square(x)])])
    out = L.Conv2D(3, 1, activation="tanh", name="out")(y)
    score = L.Dense(2, name="dense")(L.GlobalAveragePooling2D(name="pool")(y))
    keras.Model(image, [out, score]).save(tmp_path / "net.keras")
    model, agreement = load(tmp_path / "net.keras", kind="tensor", names=("picture", "score"))
    assert agreement.psnr_db_worst >= 100
    uses = {layer.name: layer.uses for layer in model.layers.layers}
    assert uses == {"first": 1, "block.conv": 1, "shared": 2, "out": 1, "dense": 1}


@pytest.mark.parametrize("names", [("zz_bright", "aa_dark"), ("aa_dark", "zz_bright")])
@pytest.mark.parametrize("form", ["dict", "layers"])
def test_outputs_are_bound_by_name(tmp_path: Path, names: tuple[str, str], form: str) -> None:
    """By the keys of a dict, whose order Keras does not keep, or by the names of the last layers: never swapped."""
    image = keras.Input((8, 8, 3), name="image")
    bright = L.Rescaling(0.2, offset=0.8, name="zz_bright")(image)
    dark = L.Rescaling(0.2, name="aa_dark")(image)
    outputs = {"zz_bright": bright, "aa_dark": dark} if form == "dict" else [bright, dark]
    keras.Model(image, outputs).save(tmp_path / "net.keras")
    model, _ = load(tmp_path / "net.keras", (1, 3, 8, 8), names=names)
    with torch.no_grad():
        found = dict(zip(names, model.program.module()(torch.full((1, 3, 8, 8), 0.5)), strict=True))
    assert [spec.name for spec in model.outputs] == list(names)
    torch.testing.assert_close(found["zz_bright"], torch.full((1, 3, 8, 8), 0.9))
    torch.testing.assert_close(found["aa_dark"], torch.full((1, 3, 8, 8), 0.1))


def test_an_output_that_a_dict_has_not_is_named(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3), name="image")
    outputs = {"one": L.Rescaling(0.5)(image), "two": L.Rescaling(0.2)(image)}
    keras.Model(image, outputs).save(tmp_path / "net.keras")
    with pytest.raises(SourceError, match="gives no output 'three', its outputs are one, two"):
        load(tmp_path / "net.keras", (1, 3, 8, 8), names=("one", "three"))


def test_several_inputs_are_bound_by_name(tmp_path: Path) -> None:
    """In whichever order builder.toml lists them."""
    style = keras.Input((3,), name="style")
    image = keras.Input((8, 8, 3), name="image")
    out = L.Multiply(name="times")([image, L.Reshape((1, 1, 3), name="shape")(style)])
    keras.Model([style, image], out).save(tmp_path / "net.keras")
    model, _ = load_checked(config("net.keras", {"image": [1, 3, 8, 8], "style": [1, 3]}), tmp_path, ())
    got = model.program.module()(torch.ones(1, 3, 8, 8), torch.tensor([[1.0, 2.0, 3.0]]))
    assert got[0, :, 0, 0].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(SourceError, match=r"an input 'style' that builder.toml does not name"):
        load_checked(config("net.keras", {"image": [1, 3, 8, 8], "other": [1, 3]}), tmp_path, ())


def make_lambda_model() -> Any:
    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, L.Lambda(lambda x: x * 2, name="twice")(image))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_stored_code_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    """A Lambda layer is code: it is never loaded."""
    path = tmp_path / f"net{suffix}"
    make_lambda_model().save(path)
    with pytest.raises(SourceError, match="the Lambda layer 'twice', which is stored code and never run"):
        load(path)


def test_what_does_not_fit_builder_toml_is_told(tmp_path: Path) -> None:
    """Shapes and numbers of inputs and outputs, in Keras's layout and in ours."""
    style_net(16).save(tmp_path / "net.keras")
    with pytest.raises(
        SourceError, match=r"takes \[\?, 16, 16, 3\] \(channels last\).*says \[1, 3, 24, 24\] \(channels first\)"
    ):
        load(tmp_path / "net.keras", (1, 3, 24, 24))
    with pytest.raises(SourceError, match=r"has 1 outputs but builder.toml names 2"):
        load(tmp_path / "net.keras", names=("a", "b"))


def test_a_channels_first_model_names_its_layer(tmp_path: Path) -> None:
    """Layouts are never guessed."""
    image = keras.Input((8, 8, 3), name="image")
    keras.Model(image, L.Conv2D(8, 3, data_format="channels_first", padding="same", name="first")(image)).save(
        tmp_path / "net.keras"
    )
    with pytest.raises(UnsupportedOperation, match=r"layer 'first' .* is channels_first"):
        load(tmp_path / "net.keras", (1, 3, 8, 8))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("keep", [0.0, 0.2, 0.7, 0.98])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, suffix: str, keep: float) -> None:
    """Cut anywhere."""
    path = tmp_path / f"net{suffix}"
    style_net().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(EdgebundleError) as caught:
        load(path)
    assert f"net{suffix}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_alone_and_unknown_classes_are_named(tmp_path: Path) -> None:
    """A file of weights is no model; a class that is not Keras's own is named with its layer."""
    style_net().save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(SourceError, match="no whole Keras model"):
        load(tmp_path / "net.weights.h5")
    style_net().save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(files["config.json"])
    described["config"]["layers"][1].update(
        {"class_name": "Exotic", "module": "mine", "registered_name": "mine>Exotic"}
    )
    files["config.json"] = json.dumps(described).encode()
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(SourceError, match=r"has the layer '\w+' of the class 'mine>Exotic', which is not Keras's own"):
        load(tmp_path / "net.keras")


OWN = """
import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mine")
class Gate(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="scale")

    def call(self, x):
        return x * ops.sigmoid(x * self.scale)


def twice(x):
    return x * 2.0


OBJECTS = {"Gate": Gate, "twice": twice}
"""


def make_own_network(folder: Path) -> Any:
    """A layer and a function that are not Keras's, in a module beside builder.toml."""
    (folder / "own_layers.py").write_text(OWN, encoding="utf-8")
    scope: dict[str, Any] = {"__name__": "own_layers"}
    exec(compile(OWN, str(folder / "own_layers.py"), "exec"), scope)  # as the training has it
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3, padding="same", activation=scope["twice"], name="enc")(image)
    return keras.Model(image, L.Conv2D(3, 1, activation="sigmoid", name="out")(scope["Gate"](name="gate")(x)))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_classes_of_the_users_own_come_from_their_module(tmp_path: Path, suffix: str) -> None:
    """`custom_objects` names a dict; without it what is missing is named with the cure."""
    path = tmp_path / f"net{suffix}"
    make_own_network(tmp_path).save(path)
    plain = config(path.name, {"image": (1, 3, 16, 16)}, ("y",), kind="image")
    with pytest.raises(SourceError, match=r"not in the file; name a dict that has it as custom_objects"):
        load_checked(plain, tmp_path, ())
    values = plain.model_dump(mode="json")
    values["model"]["custom_objects"] = "own_layers:OBJECTS"
    model, agreement = load_checked(Config.model_validate(values), tmp_path, ())
    assert model.layers.names() == ["enc", "out"]
    assert agreement is not None
    assert agreement.psnr_db_worst >= 100
    values["model"]["custom_objects"] = "own_layers:OBJECT"
    with pytest.raises(SourceError, match="did you mean 'OBJECTS'"):
        load_checked(Config.model_validate(values), tmp_path, ())


def test_custom_objects_are_of_keras_files() -> None:
    """Elsewhere they would be passed over."""
    values = config("net.onnx", {"image": (1, 3, 16, 16)}).model_dump(mode="json")
    values["model"]["custom_objects"] = "own:OBJECTS"
    with pytest.raises(ValueError, match=r"'custom_objects' are of Keras files, and 'net\.onnx' is none"):
        Config.model_validate(values)


def test_a_layer_with_an_activation_that_is_not_rebuilt_keeps_its_name(tmp_path: Path) -> None:
    """A classifier's softmax, and one over channels: the layer's weights can have a scheme all the same."""
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3, activation="softmax", name="mixed")(image)
    y = L.Dense(5, activation="softmax", name="classes")(L.GlobalAveragePooling2D()(x))
    keras.Model(image, y).save(tmp_path / "net.keras")
    model, agreement = load(tmp_path / "net.keras", kind="tensor")
    assert model.layers.names() == ["mixed", "classes"]
    assert agreement.psnr_db_worst >= 100
