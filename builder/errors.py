"""Every error that a user of `builder` can see, with its exit code.

The message is one sentence: what failed, why, and the command or line to change. Only `cli.py` catches these.
"""

from __future__ import annotations

import re
from enum import IntEnum

# Of a message that carries another one: `?.` and `..` at an end, and a full stop before a comma or a bracket. A path such as `/..` stays.
_TWO_ENDS = re.compile(r"(?<=[^\s/.])([.?!])\.(?=\s|$)")
_END_INSIDE = re.compile(r"(?<=[\w'\")])\.(?=[;)])")
_ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|etc)$")


class ExitCode(IntEnum):
    """What both commands end with; 0 is done. `--help` and the documents explain the numbers."""

    BAD_INPUT = 2
    TOOL_MISSING = 3
    CONVERSION_FAILED = 4
    OUTPUT_WRONG = 5
    DEVICE_FAILED = 6
    MEASUREMENT_POOR = 7
    INTERRUPTED = 130


class ShownError(Exception):
    """Base of all errors of both commands that are shown to a person as one sentence, without a traceback."""

    exit_code: int = 1

    def __init__(self, message: str) -> None:
        """Keep one full stop at the end of `message`, which may carry other messages."""
        super().__init__(make_sentence(message))


class EdgebundleError(ShownError):
    """Base of the builder's errors."""


class InputError(EdgebundleError):
    """Bad input, configuration or usage."""

    exit_code: int = ExitCode.BAD_INPUT


class ConfigError(InputError):
    """builder.toml or plan.toml says something that cannot be meant."""


class SourceError(InputError):
    """The model or its checkpoint cannot be loaded as it was described."""


class UnsupportedOperation(SourceError):
    """The model holds an operation that no importer of ours knows, named with the nearest form that one knows."""


class DataError(InputError):
    """A calibration or evaluation file is missing, unreadable or used twice."""


class OutputError(InputError):
    """The output directory cannot be written, or holds somebody else's files."""


class BundleError(InputError):
    """A bundle or package is not one of ours, is damaged, or is of a newer schema."""


class MissingToolError(EdgebundleError):
    """A program, a Python package or a system package is not installed."""

    exit_code: int = ExitCode.TOOL_MISSING


class ConversionError(EdgebundleError):
    """A converter failed, crashed, or exceeded its time or memory limit."""

    exit_code: int = ExitCode.CONVERSION_FAILED


class VerificationError(EdgebundleError):
    """An artifact is not what was asked for, or a budget is not met."""

    exit_code: int = ExitCode.OUTPUT_WRONG


class NotExecutedError(VerificationError):
    """A file that what stands here for its runtime cannot execute, though the runtime itself may: it is unproven, not wrong."""


class Interrupted(EdgebundleError):
    """The user pressed Ctrl-C, or the process was asked to end."""

    exit_code: int = ExitCode.INTERRUPTED


def make_sentence(message: str) -> str:
    """A message that carries other messages, with one end: `unknown 'x'; did you mean 'y'?`, not `did you mean 'y'?.`."""
    text = _TWO_ENDS.sub(r"\1", message)
    return _END_INSIDE.sub(lambda end: "." if _ABBREVIATIONS.search(text[: end.start()]) else "", text)


# Characters: some lines of a terminal. What is longer is a dump.
LONGEST_REASON = 300
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What tools print around their reason: advertisements, how to learn more, and how to switch a safety off.
_NOISE = re.compile(
    r"tlparse|TORCH_LOGS|TORCHDYNAMO|TORCH_TRACE|draft_export|for more (information|debugging)|more information|please report|"
    r"github\.com|https?://|in pytorch 2\.6|weights only load failed|re-running `torch\.load`|alternatively, to load|recommended steps|"
    r"^the (above exception|following call|error above)|during handling of|^traceback|^file \"|stack trace|original traceback|^note:|"
    r"^caused by: *$|^from user code|^searched in:|^\W*$",
    re.IGNORECASE,
)
# Reasons that stand on a line beside noise: torch's of a checkpoint, ExecuTorch's of an operator.
_INNER = re.compile(r"(WeightsUnpickler error: .*?)(?= Please use |$)|(Operator \S+ is not in Core ATen opset)")


def find_reason(words: BaseException | str) -> str:
    """The one line of a tool's error, or of its output, that says why; without escape codes and without its advertisements."""
    text = _ESCAPE.sub("", str(words))
    kind = type(words).__name__ if isinstance(words, BaseException) else ""
    if inner := _INNER.search(text):
        return inner[0].strip()[:LONGEST_REASON]
    lines = [line.strip() for line in text.splitlines()]
    useful = [line for line in lines if line and not _NOISE.search(line)]
    # A program ends with its reason, an exception begins with it.
    line_of_reason = (useful[0] if kind else useful[-1]) if useful else next((line for line in lines if line), "")
    return ": ".join(part for part in (kind, line_of_reason[:LONGEST_REASON]) if part) or "it gave no reason"


def without_noise(words: str, count: int) -> list[str]:
    """The last lines of a tool's output that say something."""
    lines = [line.rstrip() for line in _ESCAPE.sub("", words).splitlines()]
    return [line[:LONGEST_REASON] for line in lines if line.strip() and not _NOISE.search(line.strip())][-count:]
