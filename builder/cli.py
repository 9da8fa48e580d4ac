"""The `builder` command: what it takes. Errors are caught and shown by `builder.command_line`. No heavy package is imported here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from builder import __version__
from builder.backends import BACKENDS
from builder.command_line import Parser, run
from builder.targets import TARGETS

EXPORT_NAMES = ("onnx", "torchscript", "tensorrt")

EXAMPLES = """\
examples:
  builder init net.onnx                              write a commented builder.toml beside it
  builder check                                      what can be known in seconds
  builder doctor                                     what is installed, what is missing
  builder inspect examples/tiny_style                layers of the model of a builder.toml
  builder search -o plan.toml                        plans within the budgets of ./builder.toml, as measured
  builder convert examples/tiny_style -o bundle      every variant, verified, as a bundle
  builder run bundle cat.jpg -o pictures             what every variant makes of a photograph, as a page
  builder verify bundle                              run every variant again on its golden pictures
  builder package --target android -o dist           the app package of ./builder.toml
"""


CONVERT_EXAMPLES = """\
examples:
  builder convert -o bundle                          every variant of ./builder.toml; bundle.html shows its pictures
  builder convert my_style/builder.toml -o bundle    of another directory's
  builder convert --backend coreml -o bundle         only the variants for Core ML
  builder convert --keep-going -o bundle             without the variants that fail; exit 4, reasons in the manifest
  builder convert --fresh -o bundle                  believe no earlier result
  builder init net.onnx                              there is no builder.toml yet: this writes it
"""


def make_parser() -> Parser:
    parser = Parser(
        version=f"builder {__version__}", prog="builder", epilog=EXAMPLES,
        description="From a trained image network to verified mobile artifacts and packages.",
    )  # fmt: skip
    _add_looking(parser)
    _add_making(parser)
    _add_packaging(parser)
    _add_showing(parser)
    return parser


def _add_looking(parser: Parser) -> None:
    """What takes seconds, before any converter starts."""
    add = parser.verb
    init = add("init", "write a commented builder.toml from what a model's files and a few photographs tell")
    init.add_argument("model", metavar="MODEL|CHECKPOINT|MODULE:CALLABLE")
    init.add_argument("-o", "--output", type=Path, metavar="CONFIG", help="default: builder.toml beside the model")
    check = add(
        "check", "everything that takes seconds, before any converter starts: files, ranges, plans, packages, names"
    )
    check.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG")
    add("doctor", "what is installed, what is missing, and the command that adds it")
    inspect = add(
        "inspect",
        "layers, realised precision, delegate coverage, sizes and alignment of a model, artifact, bundle or package",
    )
    inspect.add_argument("path", type=Path, metavar="MODEL|CONFIG|ARTIFACT|BUNDLE|APK")
    plan = add("plan", "which rule won for each layer, and what each backend makes of it")
    plan.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG")
    plan.add_argument("--backend", choices=tuple(BACKENDS), help="only the variants of this backend")
    plan.add_argument(
        "--all-backends",
        action="store_true",
        help="what every backend makes of each plan, whether or not the variant names it",
    )


def _add_making(parser: Parser) -> None:
    """What starts converters."""
    add = parser.verb
    search = add("search", "find the plan of every variant with [variant.search]: the best one within its budgets")
    search.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG")
    search.add_argument("--cluster", metavar="ADDRESS", help="run the trials on a Dask cluster, e.g. tcp://host:8786")
    search.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PLAN",
        help="where to write the plan (.toml); beside it the trade-off as .json and .html",
    )
    compress = add(
        "compress", "train a smaller network that meets the budgets of [compress]: an ordinary project to convert"
    )
    compress.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG")
    compress.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="directory of the new project"
    )
    compress.add_argument("--resume", action="store_true", help="go on from where an interrupted run stopped")
    train = add("train", "train the network of a builder.toml by its recipe, [train]: an ordinary project to convert")
    train.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="RECIPE|CONFIG")
    train.add_argument(
        "--style", type=Path, metavar="PICTURE", help="a style picture of your own instead of the recipe's"
    )
    train.add_argument(
        "--data", metavar="GLOB", help="photographs of your own instead of the recipe's, e.g. 'photos/*.jpg'"
    )
    train.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="directory of the new project")
    train.add_argument("--resume", action="store_true", help="go on from where an interrupted run stopped")
    convert = add("convert", "make the bundle of a builder.toml: lowered, read back, verified")
    convert.formatter_class = argparse.RawDescriptionHelpFormatter
    convert.epilog = CONVERT_EXAMPLES
    convert.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG")
    convert.add_argument(
        "--backend", choices=tuple(BACKENDS), action="append", default=[], help="only this backend; may be repeated"
    )
    convert.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="directory of the bundle")
    convert.add_argument(
        "--keep-going",
        action="store_true",
        help="write the bundle of the variants that could be made, with the failures of the others in it; exit 4 where any failed",
    )
    convert.add_argument(
        "--watch",
        action="store_true",
        help="convert again whenever a plan, the model or a picture changes, until Ctrl-C",
    )
    export = add(
        "export", "write the source model for other runtimes: ONNX, TorchScript, or ONNX with TensorRT's command"
    )
    export.add_argument("config", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG")
    export.add_argument(
        "--format", choices=EXPORT_NAMES, action="append", required=True, help="what to write; may be repeated"
    )
    export.add_argument("--dynamic", action="store_true", help="leave the height and width of pictures open")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="directory of the files")
    for command in (search, train, compress, convert, export):
        _add_fresh(command)


def _add_packaging(parser: Parser) -> None:
    """What takes a bundle to an app team."""
    add = parser.verb
    verify = add(
        "verify",
        "run every variant of a bundle in its own runtime, or of a package by its own libraries, on the goldens; check every hash",
    )
    verify.add_argument("bundle", type=Path, metavar="BUNDLE|APK|AAB|AAR")
    package = add("package", "make the packages that an app team needs, from a builder.toml or a bundle")
    package.add_argument("source", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG|BUNDLE")
    package.add_argument("--target", choices=tuple(TARGETS), required=True)
    package.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT",
        help=f"{_formats()}; may be repeated; the default suits the target",
    )
    package.add_argument(
        "--runtime",
        metavar="NAME[=FILE]",
        help=f"{_runtimes()}; FILE: a local .aar of it",
    )
    package.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="CODE",
        help="accept a finding of the audit and record the exception; may be repeated",
    )
    package.add_argument(
        "--with-gradle", action="store_true", help="android: build by Gradle and the Android SDK in $ANDROID_HOME"
    )
    package.add_argument(
        "--no-execute", action="store_true", help="android: do not run the variants by the package's own libraries"
    )
    package.add_argument("-o", "--output", type=Path, required=True, metavar="DIST", help="directory of the packages")
    _add_fresh(package)


def _add_showing(parser: Parser) -> None:
    """What is there, and what it does to pictures."""
    add = parser.verb
    run = add("run", "every variant of a bundle on photographs: its pictures, the differences, and a page to look at")
    run.add_argument("bundle", type=Path, metavar="BUNDLE")
    run.add_argument(
        "picture", type=Path, nargs="+", metavar="PICTURE", help="photographs, or .npz files with one array an input"
    )
    run.add_argument(
        "--source", type=Path, metavar="CONFIG", help="the bundle's builder.toml: compare with its source model"
    )
    run.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="directory of the pictures and the page"
    )
    evaluate = add(
        "evaluate", "pictures by every measure: against a reference, photographs, a style, and from frame to frame"
    )
    evaluate.add_argument(
        "reference", type=Path, metavar="PICTURES|BUNDLE", help="the reference, or a bundle whose variants are compared"
    )
    evaluate.add_argument(
        "other",
        type=Path,
        nargs="+",
        metavar="PICTURES",
        help="pictures of the same names of each maker, or a bundle's photographs",
    )
    evaluate.add_argument(
        "--content", type=Path, metavar="PICTURES", help="the photographs that the pictures were made of"
    )
    evaluate.add_argument("--style", type=Path, metavar="PICTURE", help="the picture whose style is wanted")
    evaluate.add_argument(
        "--lpips", type=Path, metavar="FILE", help="weights of LPIPS (AlexNet): LPIPS beside the others"
    )
    evaluate.add_argument(
        "--video", action="store_true", help="the pictures are frames in the order of their names: steadiness too"
    )
    evaluate.add_argument(
        "--source", type=Path, metavar="CONFIG", help="a bundle's builder.toml: its source model is the reference"
    )
    evaluate.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="directory of evaluation.json, page.html and vote.html"
    )
    studio = add(
        "studio", "a local page: layers, precision, pictures side by side, and a switch for each layer's scheme"
    )
    studio.add_argument("source", type=Path, nargs="?", default=Path("builder.toml"), metavar="CONFIG|BUNDLE")
    studio.add_argument(
        "--backend", choices=tuple(BACKENDS), action="append", default=[], help="only this backend; may be repeated"
    )
    studio.add_argument("--port", type=int, default=0, help="of this computer; default: a free one")
    cache = add("cache", "where results are kept and how large they are; --clear and --limit remove some")
    cache.add_argument("--clear", action="store_true", help="remove all of them")
    cache.add_argument(
        "--limit", metavar="SIZE", help="remove what was not used for longest until this is left, e.g. '5 GB'"
    )


def _add_fresh(command: Parser) -> None:
    command.add_argument("--fresh", action="store_true", help="believe no result that an earlier run has kept")


def _formats() -> str:
    """`android: aar, apk; ios: package` and so on."""
    return "; ".join(f"{name}: {', '.join(target.FORMATS)}" for name, target in TARGETS.items())


def _runtimes() -> str:
    """For each target with a choice, the usual runtime and the others."""
    choices = {name: target.RUNTIMES for name, target in TARGETS.items() if target.RUNTIMES}
    return "; ".join(
        f"{name}: the runtime inside the package, {', '.join([f'{usual} (the default)', *others[:-1]])} or {others[-1]}"
        for name, (usual, *others) in choices.items()
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; the exit codes are those of `builder.command_line`."""
    words = sys.argv[1:] if argv is None else argv
    kept = (
        "what was trained is kept: go on with --resume" if {"compress", "train"} & set(words) else "nothing was written"
    )
    return run(make_parser(), argv, _call, interrupted=kept)


def _call(arguments: argparse.Namespace) -> None:
    from builder.commands import COMMANDS

    COMMANDS[arguments.command](arguments)
