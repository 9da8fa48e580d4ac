"""Every error that a user of `builder` can see, with its exit code.

The message is one sentence: what failed, why, and the command or line to change. Only `cli.py` catches these.
"""

from __future__ import annotations

import re

# Of a message that carries another one: `?.` and `..` at an end, and a full stop before a comma or a bracket. A path such as `/..` stays.
_TWO_ENDS = re.compile(r"(?<=[^\s/.])([.?!])\.(?=\s|$)")
_END_INSIDE = re.compile(r"(?<=[\w'\")])\.(?=[;)])")
_ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|etc)$")


class ShownError(Exception):
    """Base of all errors of both commands that are shown to a person as one sentence, without a traceback."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(sentence(message))


class EdgebundleError(ShownError):
    """Base of the builder's errors."""


class InputError(EdgebundleError):
    """Bad input, configuration or usage."""

    exit_code = 2


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

    exit_code = 3


class ConversionError(EdgebundleError):
    """A converter failed, crashed, or exceeded its time or memory limit."""

    exit_code = 4


class VerificationError(EdgebundleError):
    """An artifact is not what was asked for, or a budget is not met."""

    exit_code = 5


class Interrupted(EdgebundleError):
    """The user pressed Ctrl-C, or the process was asked to end."""

    exit_code = 130


def sentence(message: str) -> str:
    """A message that carries other messages, with one end: `unknown 'x'; did you mean 'y'?`, not `did you mean 'y'?.`."""
    text = _TWO_ENDS.sub(r"\1", message)
    return _END_INSIDE.sub(lambda end: "." if _ABBREVIATIONS.search(text[: end.start()]) else "", text)


def reason_of(words: BaseException | str) -> str:
    """The one line that says why something failed: the first of an exception, with its type, or the last of a program's output."""
    lines = [line.strip() for line in str(words).splitlines() if line.strip()]
    if isinstance(words, str):
        return lines[-1] if lines else "it gave no reason"
    return f"{type(words).__name__}: {lines[0]}" if lines else type(words).__name__
