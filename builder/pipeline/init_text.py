"""The text of a builder.toml that `builder init` writes: what was found, and beside each line where it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass

from builder.backends import BACKENDS
from builder.pipeline.init_inputs import SIDES
from builder.project.config import InputSection
from builder.quality.declared import MARGIN, SPREAD, USUAL
from builder.workers.messages import ProbedOutput, ProbeResult

# Of a range's width, by which a measured value may leave it without a word.
OVER = 0.02


@dataclass(frozen=True, kw_only=True)
class Found:
    """`sized`: a file said the input's size, which was tried out otherwise. `labels`: of each output a file with its class names."""

    name: str
    source: str
    checkpoint: str | None
    inputs: tuple[InputSection, ...]
    probed: ProbeResult
    calibration: str | None
    evaluation: str | None
    sized: bool
    labels: tuple[str | None, ...]


def write_text(facts: Found) -> tuple[str, tuple[str, ...]]:
    """The file, and what the user has to look at, a sentence each."""
    questions: list[str] = ["write the licence of the weights into 'licence'"]
    lines = [
        "# Written by 'builder init' from what the files and a few photographs tell. Look at every line with a '?'.",
        "# Then: builder check, builder convert -o bundle.",
        "",
        "[model]",
        f"name = {_text(facts.name)}",
        f"source = {_text(facts.source)}",
        *([f"checkpoint = {_text(facts.checkpoint)}"] if facts.checkpoint else []),
        'licence = "unknown"  # ? of the weights',
    ]
    for section in facts.inputs:
        lines += ["", *_input(section, facts, questions)]
    for number, output in enumerate(facts.probed.outputs):
        lines += ["", *_output(output, number, facts.labels[number], questions)]
    lines += ["", *_data(facts, questions)]
    for variant in _variants(facts):
        lines += ["", *variant]
    return "\n".join(lines) + "\n", tuple(questions)


def _input(section: InputSection, facts: Found, questions: list[str]) -> list[str]:
    size = "as its file says" if facts.sized else "? it runs at this size; write the one it was trained for"
    if facts.sized and SIDES[0] in section.shape:
        size += f"; where it leaves a size open, {SIDES[0]} stands here"
    lines = [
        "[[input]]",
        f"name = {_text(section.name)}",
        f"kind = {_text(section.kind)}",
        f"shape = {list(section.shape)}  # {size}",
    ]
    if section.dtype != "float32":
        lines.append(f"dtype = {_text(section.dtype)}")
    if section.kind != "image" and section.range is None:
        return lines
    if not facts.sized:
        questions.append("compare 'shape' of the input with what the network was trained for")
    lines.append(f"# {_why(facts, questions)}")
    if facts.probed.range is not None:
        lines.append(f"range = {list(facts.probed.range)}")
    else:
        lines += [f"mean = {list(facts.probed.mean or ())}", f"std = {list(facts.probed.std or ())}"]
    if section.kind == "image":
        lines.append('# color_order = "BGR"  # where it was trained on OpenCV\'s order')
    return lines


def _why(facts: Found, questions: list[str]) -> str:
    """Where the input's range comes from; what does not decide it is a question."""
    scores = ", ".join(f"{name} {score:.2f}" for name, score in facts.probed.scores.items())
    if facts.probed.evidence == "photographs":
        return f"measured on photographs, higher makes more sense: {scores}"
    if facts.probed.evidence:
        return facts.probed.evidence
    if facts.evaluation is None and not scores:
        questions.append(
            "put photographs beside the model and run 'builder init' again, or correct 'range' of the input"
        )
        return "? not measured: no photographs were found"
    questions.append(
        "write the 'range' (or 'mean' and 'std') that it was trained with under the input: nothing here decides it"
    )
    return f"? nothing decides it (on photographs: {scores}); write what it was trained with"


def _output(output: ProbedOutput, number: int, labels: str | None, questions: list[str]) -> list[str]:
    shape = output.shape
    picture = (
        len(shape) == 4 and shape[0] == 1 and 3 in (shape[1], shape[3])
    )  # with channels last it is turned where it is a picture
    kind = "image" if picture else "vector" if len(output.shape) == 2 else "tensor"
    name = "output" if output.name == "output" and number == 0 else output.name
    lines = ["[[output]]", f"name = {_text(name)}", f"kind = {_text(kind)}  # it gives {list(output.shape)}"]
    if picture:
        low, high = _range(output)
        lines.append(f"range = [{low}, {high}]  # it gives {output.low:.3g} to {output.high:.3g} on what was tried")
        if (low, high) in USUAL and not _inside(output, low, high, OVER):
            lines[-1] += ", which apps cut"
        if (low, high) not in USUAL:
            questions.append(
                f"the output {name!r} gives {output.low:.3g} to {output.high:.3g}, no usual range: correct its 'range'"
            )
    elif kind == "vector" and labels:
        lines.append(f"labels = {_text(labels)}  # it has as many lines as there are classes")
    elif kind == "vector":
        lines.append('# labels = "labels.txt"  # one class name a line, for a classifier')
    return lines


def _range(output: ProbedOutput) -> tuple[float, float]:
    """The usual range that holds the measured values, but for what a network without a clamp gives beyond, and is filled best; else their own."""
    fitting = [
        ((output.high - output.low) / (high - low), (low, high))
        for low, high in USUAL
        if _inside(output, low, high, MARGIN) and output.high - output.low >= SPREAD * (high - low)
    ]
    if fitting:
        # 0..1 before -0.5..0.5, which is as wide: the usual one comes first
        best = max(share for share, _ in fitting)
        return next(ends for share, ends in fitting if share == best)
    return output.low, output.high if output.high > output.low else output.low + 1


def _inside(output: ProbedOutput, low: float, high: float, over: float) -> bool:
    return output.low >= low - over * (high - low) and output.high <= high + over * (high - low)


def _data(facts: Found, questions: list[str]) -> list[str]:
    lines = ["[data]"]
    if facts.calibration is not None:
        lines.append(f"calibration = {_text(facts.calibration)}  # for static int8")
    else:
        lines.append(
            '# calibration = "calibration/*"  # a hundred photographs that are not in evaluation, for static int8'
        )
    if facts.evaluation is None:
        questions.append("put photographs that the network has not seen into evaluation/: quality is measured on them")
    lines.append(f"evaluation = {_text(facts.evaluation or 'evaluation/*')}  # held out: quality is measured on them")
    return lines


def _variants(facts: Found) -> list[list[str]]:
    """Those that every backend has for a beginning; of a file that was trained for integers, one for each that keeps them."""
    if facts.probed.integers:
        return [
            [
                "# as_trained: the file's own integers, scales and zero points",
                "[[variant]]",
                f"backend = {_text(name)}",
                f"delegate = {_text(backend.SPEC.delegate_names[0])}",
            ]
            for name, backend in BACKENDS.items()
            if backend.SPEC.first_variants
        ]
    int8 = (
        ['plan = "preset:int8-convs"  # convolutions in int8, measured: see its decibels, or write a plan of your own']
        if facts.calibration is not None
        else ['plan = "preset:int8-weights"  # weights in int8, no calibration data needed']
    )
    return [
        [
            f"# {first.comment}",
            "[[variant]]",
            f"backend = {_text(name)}",
            f"delegate = {_text(first.delegate)}",
            *([f"scheme = {_text(first.scheme)}"] if first.scheme else int8),
        ]
        for name, backend in BACKENDS.items()
        for first in backend.SPEC.first_variants
    ]


def _text(value: str) -> str:
    return json.dumps(value)
