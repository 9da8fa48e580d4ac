"""builder.toml: what is accepted, and what the one sentence says when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import ConfigError
from builder.project.budgets import parse_size
from builder.project.config import load_config
from tests.builder.projects import CONFIG


def write(folder: Path, text: str) -> Path:
    path = folder / "builder.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "Apache-2.0"', 'license = "Apache-2.0"', "did you mean 'licence'"),
        (
            'backend = "tflite"\ndelegate = "xnnpack"\nscheme = "fp32"',
            'backend = "tflite"\ndelegate = "gpo"\nscheme = "fp32"',
            "unknown delegate 'gpo'",
        ),
        ('scheme = "fp32"', "", "needs one of 'plan', 'scheme'"),
        ('scheme = "fp32"', 'plan = "plan.toml"', "two variants are named 'tflite-xnnpack-plan'"),
        ("shape = [1, 3, 32, 32]", "shape = [1, 32, 32, 3]", "must be [1, 3, height, width]"),
        ("range = [0.0, 1.0]\n\n[[output]]", "range = [1.0, 0.0]\n\n[[output]]", "'range' must be [low, high]"),
        ('checkpoint = "small.safetensors"', "", "'checkpoint' is missing"),
        ('checkpoint = "small.safetensors"', 'checkpoint = "small.xyz"', "must be a .safetensors, .pt, .pth"),
        ('source = "model:create"', 'source = "model.bin"', "'source' must be 'module:callable', a .pt2"),
        ('name = "out"', 'name = "image"', "two inputs or outputs are named 'image'"),
        ('name = "small"', 'name = "../small"', "cannot be used as a file name"),
        ('evaluation = "evaluation/*"', "", "'data.evaluation' is missing"),
        ("[model]", "[model", "is not TOML"),
    ],
)
def test_a_wrong_config_is_refused_with_the_key_and_the_cure(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each mistake names its key, and the near one where a name is unknown."""
    assert old in CONFIG
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, CONFIG.replace(old, new, 1)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_config_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """A directory without builder.toml is named with the path that was tried."""
    with pytest.raises(ConfigError, match=r"builder\.toml does not exist"):
        load_config(tmp_path)


@given(st.text(max_size=400))
def test_any_text_is_a_config_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text whatsoever ends in anything but a Config or a ConfigError."""
    path = tmp_path_factory.mktemp("fuzz") / "builder.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load_config(path)


BUDGETS = {
    "no size": ('objective = "psnr"\nmin_psnr_db = 40', "set 'max_bytes' or 'max_cost'"),
    "no quality": ('objective = "bytes"\nmax_bytes = 1000', "needs a quality to keep"),
    "not a size": ('objective = "psnr"\nmax_bytes = "270 kilo"', "is not a size"),
    "nothing": ('objective = "psnr"\nmax_bytes = 0', "is not a size"),
    "impossible ssim": ('objective = "bytes"\nmin_ssim = 1.2', "less than or equal to 1"),
    "no classes": ('objective = "top1"\nmax_bytes = 1000', "needs an output with 'labels'"),
    "unknown": ('objective = "psnr"\nmax_byte = 1000', "did you mean 'max_bytes'"),
    "a plan too": ('objective = "psnr"\nmax_bytes = 1000\n[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"', "one of 'plan', 'scheme' and [variant.search]"),
}  # fmt: skip


@pytest.mark.parametrize("case", BUDGETS)
def test_budgets_that_make_no_sense_are_refused(tmp_path: Path, case: str) -> None:
    """Each names what is missing or wrong."""
    budgets, message = BUDGETS[case]
    head = CONFIG.split("[[variant]]")[0]
    text = f'{head}[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\n[variant.search]\n{budgets}\n'
    (tmp_path / "builder.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("written", "size"), [(5, 5), ("270 KB", 270_000), ("1.5MiB", 1_572_864), ("17 kb", 17_000), ("9", 9)]
)
def test_a_size_is_a_number_or_a_text_with_a_unit(written: int | str, size: int) -> None:
    """Decimal and binary units, with or without a space."""
    assert parse_size(written) == size


IMAGENET_255 = "mean = [123.675, 116.28, 103.53]\nstd = [58.395, 57.12, 57.375]"


def test_mean_and_std_of_pixels_of_255_are_recognised_and_writable(tmp_path: Path) -> None:
    """As Caffe, Keras and OpenMMLab write them: told without `scale = 255`, and with it the same as those of 0..1."""
    text = CONFIG.replace("range = [0.0, 1.0]", IMAGENET_255, 1)
    with pytest.raises(ConfigError, match="add scale = 255"):
        load_config(write(tmp_path, text))
    image = load_config(write(tmp_path, text.replace("mean =", "scale = 255\nmean =", 1))).input[0]
    assert image.mean == pytest.approx((0.485, 0.456, 0.406))
    assert image.std == pytest.approx((0.229, 0.224, 0.225))
    caffe = text.replace("mean =", "scale = 255\nmean =", 1).replace("[58.395, 57.12, 57.375]", "[1, 1, 1]")
    std = load_config(write(tmp_path, caffe)).input[0].std
    assert std is not None
    assert std[0] == pytest.approx(1 / 255)
    unit = CONFIG.replace("range = [0.0, 1.0]", "scale = 255\nmean = [0.485, 0.456, 0.406]\nstd = [0.2, 0.2, 0.2]", 1)
    with pytest.raises(ConfigError, match="remove 'scale'"):
        load_config(write(tmp_path, unit))


@pytest.mark.parametrize("scale", ["", "scale = 255\n"])
@pytest.mark.parametrize(
    ("mean", "std"), [("123.675, 116.28, 103.53", "0.229, 0.224, 0.225"), ("0.485, 0.456, 0.406", "58.4, 57.1, 57.4")]
)
def test_a_mean_and_a_std_of_different_pixels_are_refused(tmp_path: Path, mean: str, std: str, scale: str) -> None:
    """Neither unit fits both, so `scale` is no cure: adding and removing it went in a circle."""
    text = CONFIG.replace("range = [0.0, 1.0]", f"{scale}mean = [{mean}]\nstd = [{std}]", 1)
    with pytest.raises(ConfigError, match=r"of different pixels, one of 0\.\.1 and one of 0\.\.255"):
        load_config(write(tmp_path, text))


def test_a_name_that_a_backend_keeps_to_itself_is_refused(tmp_path: Path) -> None:
    """Core ML's converter would call an output `state` something else, and no app would find it; the others take it."""
    text = CONFIG.replace('name = "out"', 'name = "state"', 1)
    assert text != CONFIG
    assert load_config(write(tmp_path, text)).output[0].name == "state"
    coreml = f'{text}\n[[variant]]\nbackend = "coreml"\ndelegate = "all"\nscheme = "fp16"\n'
    with pytest.raises(
        ConfigError,
        match="the name 'state' is one that Core ML keeps to itself: give that input or output another 'name'",
    ):
        load_config(write(tmp_path, coreml))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("mean = [1, 1, 1]\nstd = [1, 1, 1]", None),
        ("mean = [1, 1, 1]\nstd = [0.5, 0.5, 0.5]", None),
        ("mean = [0, 0, 0]\nstd = [0.5, 0.5, 0.5]", None),
        ("mean = [2, 2, 2]\nstd = [1, 1, 1]", "add scale = 255"),
        ("mean = [0.5, 0.5, 0.5]\nstd = [2, 2, 2]", "add scale = 255"),
        ("mean = [0.5, 0.5, 0.5]\nstd = [2.5, 2.5, 2.5]", "of different pixels"),
        ("mean = [1.5, 1.5, 1.5]\nstd = [0.9, 0.9, 0.9]", "of different pixels"),
        ("mean = [0.5, 0.5, 0.5]", "go together"),
        ("std = [0.5, 0.5, 0.5]", "go together"),
    ],
)
def test_where_pixels_of_0_to_1_end(tmp_path: Path, written: str, message: str | None) -> None:
    """The edges of what is read as pixels of 0..1, of 0..255, and of neither."""
    path = write(tmp_path, CONFIG.replace("range = [0.0, 1.0]", written, 1))
    if message is None:
        assert load_config(path).input[0].mean is not None
        return
    with pytest.raises(ConfigError, match=message):
        load_config(path)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('[compress]\nstages = ["qat"]\ndevice = "cuda"\n', "unknown key 'compress.device'; known are"),
        ('[compress]\nstages = ["qat"]\nsteps = 3\nstebs = 4\n', "unknown key 'compress.stebs'; did you mean 'steps'?"),
        ('[compress]\nstages = ["qat"]\nloss = { gramm = 1.0 }\n', "did you mean 'gram'?"),
        (
            '[compress]\nstages = ["prune"]\nbudget = { max_parameters = 0.5 }\nloss = "mine:loss"\n',
            "'loss' is what 'distill' and 'qat' teach by",
        ),
        (
            '[train]\ndata = "photos/*"\nloss = { content = 1.0 }\n',
            'train.data: it is a list, also of one: write data = ["photos/*"].',
        ),
    ],
)
def test_a_wrong_key_is_told_by_those_of_its_section(tmp_path: Path, section: str, message: str) -> None:
    """A key that another section has is no suggestion, and what would be passed over is refused."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f"{CONFIG}\n{section}"))
    assert message in str(caught.value)
