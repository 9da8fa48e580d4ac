"""The house's own rules for names: a function is a verb, data is a noun, and a backend or delegate is named in its own folder alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from builder.backends import BACKENDS

ROOT = Path(__file__).resolve().parent.parent
# Past participles that do not end in -ed. `read`, `run`, `put`, `set`, `split`, `cut`, `fit` and `cast` are verbs too.
IRREGULAR = {
    "begun", "born", "bought", "bound", "broken", "brought", "built", "caught", "chosen", "done", "drawn", "driven",
    "fallen", "fed", "felt", "forgotten", "found", "frozen", "given", "gone", "got", "grown", "heard", "held", "hidden",
    "hung", "kept", "known", "laid", "led", "left", "lent", "lost", "made", "meant", "met", "paid", "risen", "said", "seen",
    "sent", "shown", "sold", "spent", "spoken", "stood", "stuck", "taken", "thought", "thrown", "told", "torn", "understood",
    "went", "woken", "won", "worn", "written",
}  # fmt: skip
# Words in -ed that name an action as they stand.
VERBS = {"embed", "feed", "need", "seed", "speed"}
# Operators under the names that Core ML, ONNX, Keras and torch give them. In these folders a function stands for the operator it is called
# by; elsewhere it is one of these, `max_pool` or `max_pool_of_rows`.
OPERATORS = {
    "adaptive_average", "adaptive_largest", "adaptive_rows", "complementary_error", "gru_cell", "instance_norm", "layer_norm", "log_add_exp",
    "log_sigmoid", "lstm_cell", "max_pool", "one_hot", "scaled_tanh", "std_dim", "thresholded_relu", "clamped_relu", "var_dim",
}  # fmt: skip
OPERATOR_FOLDERS = (
    "builder/backends/coreml/ops/",
    "builder/sources/keras/layers.py",
    "builder/sources/keras/preprocessing.py",
    "builder/sources/onnx/ops/",
)
# What a function of one word may be called that other modules call, beside a question (`takes`, `fits`) and, of a `with`, what
# happens meanwhile (`recording`). A word that is missing here is a noun, or a verb to be added.
ACTIONS = {
    "acquire", "add", "agree", "answer", "append", "apply", "ask", "assemble", "attempt", "attend", "audit", "average",
    "begin", "bind", "bisect", "build", "bury", "calibrate", "call", "carry", "choose", "clear", "clip", "close", "collect",
    "compare", "compile", "compress", "compute", "conclude", "connect", "convert", "copy", "count", "cut", "decide",
    "deliver", "dequantize", "descend", "describe", "design", "distil", "divide", "drop", "edit", "empty", "end", "endure",
    "enlarge", "equalize", "evaluate", "examine", "execute", "expand", "explain", "export", "fail", "feed", "fetch", "fill",
    "find", "finish", "fit", "fold", "forget", "gate", "greet", "group", "guard", "hold", "induce", "inject", "inspect",
    "install", "interleave", "interpolate", "interrupt", "invoke", "join", "judge", "keep", "kill", "launch", "legalize",
    "link", "listen", "load", "locate", "look", "lower", "main", "make", "mark", "measure", "merge", "move", "negate",
    "normalise", "observe", "open", "order", "pack", "package", "pad", "pair", "parse", "pause", "pick", "pin", "place",
    "plan", "plant", "play", "plot", "predict", "prepare", "print", "profile", "propose", "prove", "prune", "publish",
    "pull", "push", "put", "quantize", "quote", "rank", "reach", "read", "realise", "rearrange", "rebuild", "recall",
    "record", "refine", "refuse", "register", "release", "relocate", "remember", "remove", "render", "repair", "replace",
    "report", "require", "resample", "resolve", "resume", "retry", "reverse", "rewrite", "run", "sample", "save", "say",
    "scale", "scatter", "search", "seed", "select", "send", "separate", "serve", "settle", "shorten", "show", "sign",
    "silence", "simplify", "simulate", "sleep", "slim", "sort", "spare", "split", "spread", "square", "stage", "start",
    "stop", "store", "strip", "stylize", "summarize", "supervise", "take", "tell", "tidy", "train", "transform", "trim",
    "try", "undo", "unfuse", "unpack", "validate", "vary", "verify", "wait", "wake", "walk", "warm", "warn", "watch",
    "widen", "work", "wrap", "write",
}  # fmt: skip
# Verbs that a function of several words may begin with. Alone most of them would be a noun: `list_layers` acts, `list` and `hash` do not.
BEGINNINGS = {
    "allow", "annotate", "assert", "be", "boot", "break", "calculate", "cast", "change", "check", "clean", "convolve", "correct", "decode", "define", "detach",
    "digest", "do", "draw", "encode", "enter", "estimate", "expect", "filter", "follow", "fork", "format", "freeze", "gather", "get", "give", "guess",
    "halve", "handle", "hang", "hash", "hear", "import", "inline", "insert", "know", "label", "leave", "lengthen", "list", "match", "multiply", "name",
    "need", "note", "notice", "pass", "permit", "prefix", "process", "provide", "reap", "rename", "repeat", "resize", "restore", "round", "set",
    "shift", "shut", "slice", "strike", "subtract", "suggest", "sum", "switch", "time", "turn", "unfold", "unify", "view", "visit", "zip",
}  # fmt: skip
# A question, and a conversion or a relation that reads as one where it is called: `is_data(x)`, `to_torch(x)`, `in_order(x)`, `by_name(x)`.
QUESTIONS = {"can", "did", "has", "is"}
RELATIONS = {
    "against", "along", "as", "before", "by", "for", "from", "in", "inside", "of", "on", "or", "over", "to", "unless", "until", "with",
    "within", "without",
}  # fmt: skip
# What other programs call by a name of theirs: http.server, Jupyter, asyncio's protocols.
CALLBACKS = {"log_message", "_repr_html_", "connection_made", "connection_lost", "data_received"}
# Measures and losses under the names of their papers; networks of tests under those that papers and torchvision give them.
PAPERS = {"cross_entropy", "ms_ssim"}
NETWORKS = {
    "bilateral_grid", "colour_tables", "dense_vit", "face_restoration", "fourier_unit", "gated_filling", "looked_up", "partial_filling",
    "picture_matting", "style_net", "super_resolution", "vgg_decoder", "vgg_encoder", "video_matting",
}  # fmt: skip
# Formulas under the names of their authors or papers, programs under their own, a command under the word that its user types, and what
# every backend, delegate and target is asked for (`base.py` of each).
FORMULAS = {"autocovariance", "frechet", "gram", "holm", "psnr", "ssim", "tlp", "tof", "wasserstein", "williams"}
PROGRAMS = {"bundletool", "devicectl", "jar", "javac", "kotlinc", "r8"}
COMMANDS = {"cache", "check", "devices", "doctor", "farm", "init", "studio", "version", "worker"}
CONTRACTS = {"coverage", "elsewhere", "execution", "form", "needs", "runner"}
# Lines of a function: what stands on one screen. Lines of a file: what holds one idea.
MOST_LINES, MOST_LINES_OF_A_FILE = 60, 400
# Modules that stand directly in a package: who opens it sees its rooms.
MOST_MODULES = 8
# Up to so many lines `found` stands beside what it was found by; below them its reader has lost that line.
SHORT = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[str, ast.Module]:
    """Every module by its place; read once for all tests."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for root in ("builder", "harness", "scripts")
        for path in sorted((ROOT / root).rglob("*.py"))
    }


@cache
def nodes(tree: ast.Module) -> list[ast.AST]:
    """Every node of a file; most rules look at all of them."""
    return list(ast.walk(tree))


@cache
def functions() -> list[tuple[str, Function]]:
    """Those of both packages, with their places."""
    return [
        (f"{place}:{node.lineno} {node.name}", node)
        for place, tree in trees().items()
        if not place.startswith("scripts/")
        for node in nodes(tree)
        if isinstance(node, Function)
    ]


@cache
def helpers() -> list[tuple[str, Function]]:
    """The functions of the tests that are neither tests nor fixtures nor pytest's hooks."""
    return [
        (f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}", node)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, Function)
        and not node.name.startswith(("test_", "pytest_"))
        and not any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


def is_participle(word: str) -> bool:
    return word in IRREGULAR or (word.endswith("ed") and word not in VERBS)


def is_data(function: Function) -> bool:
    """A property is read as data."""
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_no_function_is_named_by_a_past_participle() -> None:
    """`judged(run)` may be a question, a list or an action; `judge(run)` is one thing."""
    wrong = [
        place
        for place, function in functions()
        if is_participle(function.name.strip("_").split("_")[0])
        and function.name.strip("_") not in OPERATORS
        and not is_data(function)
    ]
    assert wrong == []


def is_action(word: str) -> bool:
    """`measure`; a question such as `takes`; and what happens in a `with`, such as `recording`."""
    meanwhile = word.removesuffix("ing")
    return bool({word, word.removesuffix("s"), meanwhile, f"{meanwhile}e"} & ACTIONS)


def test_a_function_of_one_word_is_a_verb() -> None:
    """`format_size(bytes)` acts and `size` is what it gives: a noun alone reads as data where it is called."""
    allowed = FORMULAS | PROGRAMS | COMMANDS | CONTRACTS
    wrong = [
        f"{place}:{node.lineno} {node.name}"
        for place, tree in trees().items()
        if not place.startswith(OPERATOR_FOLDERS)
        for node in tree.body
        if isinstance(node, Function)
        and not node.name.startswith("_")
        and "_" not in node.name
        and node.name not in allowed
        and not is_action(node.name)
    ]
    assert wrong == []


def begins_with_a_verb(name: str) -> bool:
    """`list_layers`, `is_data`, `in_order`; a question such as `gives_floats`."""
    first = name.strip("_").split("_")[0]
    return (
        is_action(first)
        or bool({first, first.removesuffix("s"), first.removesuffix("es"), first.removesuffix("ing")} & BEGINNINGS)
        or first in QUESTIONS | RELATIONS
    )


def is_kept(place: str, name: str) -> bool:
    """A name that somebody else gave."""
    bare = name.strip("_")
    return (
        place.startswith(OPERATOR_FOLDERS)
        or any(bare == operator or bare.startswith(f"{operator}_of_") for operator in OPERATORS)
        or name in CALLBACKS
        or bare in PAPERS | NETWORKS
    )


def test_a_function_of_several_words_begins_with_a_verb() -> None:
    """`list_layers(program)` acts; `layer_table(program)` reads as what it gives. Functions inside others and methods too, and the tests' own."""
    scripts = [
        (f"{place}:{node.lineno} {node.name}", node)
        for place, tree in trees().items()
        if place.startswith("scripts/")
        for node in nodes(tree)
        if isinstance(node, Function)
    ]
    wrong = [
        place
        for place, function in (*functions(), *scripts, *helpers())
        if "_" in function.name.strip("_")
        and not function.name.startswith("__")
        and not begins_with_a_verb(function.name)
        and not is_kept(place, function.name)
        and not is_data(function)
        and not any("validator" in ast.unparse(decorator) for decorator in function.decorator_list)
    ]
    assert wrong == []


def test_a_function_stands_on_one_screen() -> None:
    """A longer one does two things, of which one deserves a name."""
    long = [
        f"{place}:{node.lineno} {node.name}"
        for place, tree in trees().items()
        for node in nodes(tree)
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= MOST_LINES
    ]
    assert long == []


def test_a_file_holds_one_idea() -> None:
    """And who opens a package sees its rooms, not its modules."""
    paths = [path for root in ("builder", "harness", "scripts") for path in (ROOT / root).rglob("*.py")]
    assert [path for path in paths if path.read_text(encoding="utf-8").count("\n") > MOST_LINES_OF_A_FILE] == []
    for root in ("builder", "harness"):
        assert len([path for path in (ROOT / root).glob("*.py") if not path.stem.startswith("__")]) <= MOST_MODULES


def test_what_a_long_function_found_is_named_for_what_it_is() -> None:
    """Ten lines further down, `found` says nothing of what it holds."""
    wrong = [
        place
        for place, function in functions()
        if (function.end_lineno or 0) - function.lineno >= SHORT
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if any(isinstance(name, ast.Name) and name.id == "found" for name in ast.walk(target))
    ]
    assert wrong == []


def test_the_rule_sees_a_participle() -> None:
    """The words that it is made for, and those that only look like them."""
    assert all(map(is_participle, ("judged", "told", "found", "legalized")))
    assert not any(map(is_participle, ("judge", "find", "feed", "read", "embed")))
    assert all(map(is_action, ("judge", "takes", "recording", "making", "pack")))
    assert not any(map(is_action, ("size", "table", "page", "rounding", "entry", "milliseconds")))


def test_the_rule_sees_a_noun() -> None:
    """A noun or an adjective at the beginning, and what only looks like one."""
    assert all(
        map(
            begins_with_a_verb,
            ("list_layers", "_hash_file", "is_data", "in_order", "gives_floats", "importing_neighbours"),
        )
    )
    assert not any(
        map(begins_with_a_verb, ("layer_table", "cache_folder", "_own_names", "largest_change", "page_of", "why_not"))
    )


def test_all_pages_that_are_written_are_one_document() -> None:
    """Head, policy and colours of a page are written once. A page that stands in a file of its own is an app, with its own script."""
    places = [
        path.relative_to(ROOT).as_posix()
        for root in ("builder", "harness")
        for path in sorted((ROOT / root).rglob("*"))
        if path.suffix in (".py", ".j2") and "<!doctype html>" in path.read_text(encoding="utf-8").lower()
    ]
    assert places == ["builder/bundle/page.py"]


BACKEND = re.compile(rf"(?<![\w.-])({'|'.join(BACKENDS)})(?![\w-])")
BACKEND_WORD = re.compile(rf"(?i)(?:^|_)({'|'.join(BACKENDS)})(?:_|$)")
REGISTRY = "builder/backends/__init__.py"
# Runtimes of packages have names of their own, some of which are those of backends: what `--runtime` and [package.ios] take, and libraries
# in Maven. The folders of both targets hold such names of their own and no backend's.
RUNTIMES = ("builder/targets/android/", "builder/targets/ios/")
# Places that name a backend, and why.
NAMES_BACKEND = {
    "builder/cli.py": "an example in the help",
    "builder/targets/android/runtimes.py": "what --runtime takes: the names of libraries in Maven, two of which are called as a backend is",
    "builder/targets/ios/settings.py": "the key of [package.ios] that asks for the second runtime",
    "builder/targets/ios/swift_package.py": "the folder of that runtime's package in mobile/ios",
}
# Places that name a delegate, and why. `all` is a word of every day, and no delegate where it stands elsewhere.
DELEGATES = {name for backend in BACKENDS.values() for name in backend.SPEC.delegate_names} - {"all"}
NAMES_DELEGATE = {
    "builder/legalize/rewrites/": "traits of delegates: a rewrite says beside its code which of them need it",
    "builder/targets/android/": "what the libraries of an Android package execute",
    "builder/targets/server/__init__.py": "what the library of a server executes",
    "builder/targets/server/app/network.py": "the same, in a file that is packed without the builder",
    "harness/analysis/comparison.py": "the word of a record for a page's WebGPU",
}


def walk_outside_backends() -> Iterator[tuple[str, ast.Module]]:
    """Every file of builder and harness but those of the backends' own folders and the registry, by its place."""
    own = tuple(f"builder/backends/{name}/" for name in BACKENDS)
    for place, tree in trees().items():
        if not place.startswith((*own, "builder/_mobile/", "scripts/")) and place != REGISTRY:
            yield place, tree


def texts(tree: ast.Module) -> Iterator[str]:
    """Every string of a file, docstrings left out; and the modules that it imports of the backends."""
    documents = {id(node.value) for node in nodes(tree) if isinstance(node, ast.Expr)}
    for node in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value
        elif isinstance(node, ast.Import):
            yield " ".join(alias.name.replace(".", " ") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("builder.backends"):
            yield " ".join([*(node.module or "").split("."), *(alias.name for alias in node.names)])


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Every name that a file gives to something of its own: functions, classes, variables, fields, parameters."""
    for node in nodes(tree):
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_no_other_room_names_a_backend() -> None:
    """Neither as a string, nor by importing from its folder; what names one is listed with the reason."""
    naming = {place for place, tree in walk_outside_backends() if any(map(BACKEND.search, texts(tree)))}
    assert naming == set(NAMES_BACKEND)


def test_nothing_of_another_room_is_called_like_a_backend() -> None:
    """`profile_executorch` or `TFLITE` in the harness would be a fact about a backend that stands outside its folder."""
    called = {
        f"{place} {name}"
        for place, tree in walk_outside_backends()
        if not place.startswith(RUNTIMES)
        for name in identifiers(tree)
        if BACKEND_WORD.search(name)
    }
    assert called == set()


def test_no_other_room_names_a_delegate() -> None:
    """What runs where is asked of the backend. A place that names a delegate of its own runtime is listed with the reason."""
    naming = {place for place, tree in walk_outside_backends() if DELEGATES & set(texts(tree))}
    unknown = {place for place in naming if not place.startswith(tuple(NAMES_DELEGATE))}
    assert unknown == set()
    assert [entry for entry in NAMES_DELEGATE if not any(place.startswith(entry) for place in naming)] == []
