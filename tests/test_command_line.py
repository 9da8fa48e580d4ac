"""Both commands have one habit: options, near names, messages, exit codes and JSON, tried on the commands themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import builder.cli
import builder.errors
import harness.cli
import harness.errors
from builder.command_line import EXIT_CODES
from builder.errors import ExitCode, InputError, ShownError, find_reason, make_sentence
from harness.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
MAINS: dict[str, Callable[[list[str]], int]] = {"builder": builder.cli.main, "harness": harness.cli.main}
# A verb of each that needs nothing, one with a required option, and one that prints JSON of this machine.
QUICK = {"builder": "doctor", "harness": "devices"}
NEEDY = {"builder": ["convert", "x"], "harness": ["run", "x"]}


def said(program: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = MAINS[program](words)
    except SystemExit as end:  # --help and --version
        code = int(end.code or 0)
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture(params=MAINS)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("before", [True, False])
def test_the_version_stands_before_or_after_the_verb(
    program: str, before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """`builder --version` and `builder doctor --version` say the same."""
    words = ["--version"] if before else [QUICK[program], "--version"]
    code, out, _ = said(program, words, capsys)
    assert code == 0
    assert re.fullmatch(rf"{program} \S+\n", out)


@pytest.mark.parametrize("words", [["-v"], ["-q"], ["--verbose"], ["--quiet"]])
def test_common_options_stand_before_or_after_the_verb(program: str, words: list[str]) -> None:
    """What stands before the verb is not forgotten when the verb is read."""
    parser = builder.cli.make_parser() if program == "builder" else harness.cli.build_parser()
    name = {"-v": "verbose", "-q": "quiet"}.get(words[0], words[0].removeprefix("--"))
    for given in ([*words, QUICK[program]], [QUICK[program], *words]):
        assert getattr(parser.parse(given), name) is True
    assert getattr(parser.parse([QUICK[program]]), name) is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dcotor"], "'dcotor' is not a command; did you mean 'doctor'?"),
        (["doctor", "--jsn"], "there is no option '--jsn'; did you mean '--json'?"),
        (["doctor", "--ver"], "there is no option '--ver'"),
        (["doctor", "more"], "'more' is one argument too many (see 'builder doctor --help')."),
        (["convert", "--outptu", "x"], "there is no option '--outptu'; did you mean '--output'?"),
        (["convert", "--backend", "tflit", "-o", "x"], "'tflit' is not a backend; did you mean 'tflite'?"),
    ],
)
def test_what_the_builder_does_not_know(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest known name is told; no option may be abbreviated."""
    code, out, err = said("builder", words, capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"builder: error: {message}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["devcies"], "'devcies' is not a command; did you mean 'devices'?"),
        (["devices", "--jsn"], "there is no option '--jsn'; did you mean '--json'?"),
        (["devices", "--ver"], "there is no option '--ver'"),
        (["devices", "more"], "'more' is one argument too many (see 'harness devices --help')."),
        (["run", "x", "--devise", "host"], "there is no option '--devise'; did you mean '--device'?"),
        (["run", "x", "-d", "hst"], "there is no device kind 'hst'; did you mean 'host'?"),
        (["run", "x", "-d", "host", "--protocol", "qick"], "there is no protocol 'qick'; did you mean 'quick'?"),
    ],
)
def test_what_the_harness_does_not_know(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the builder says it."""
    code, out, err = said("harness", words, capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"harness: error: {message}")


def test_an_error_is_one_line_and_its_place_is_shown_on_demand(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-v` adds where the error came from, before or after the verb."""
    code, _, err = said(program, NEEDY[program], capsys)
    assert code == 2
    assert len(err.splitlines()) == 1
    for words in (["-v", *NEEDY[program]], [*NEEDY[program], "-v"]):
        _, _, shown = said(program, words, capsys)
        assert "Traceback" in shown
        assert shown.endswith(err)


def test_help_has_the_exit_codes(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One table for both; without a verb the help is printed and the exit code is that of wrong usage."""
    code, out, _ = said(program, ["--help"], capsys)
    assert code == 0
    assert EXIT_CODES in out
    code, out, err = said(program, [], capsys)
    assert (code, out) == (2, "")
    assert EXIT_CODES in err


@pytest.mark.usefixtures("adb_environment")
def test_json_is_one_document_in_one_form(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both print one object, indented by one space, and nothing else on stdout."""
    _, out, _ = said(program, [QUICK[program], "--json"], capsys)
    assert isinstance(json.loads(out), dict)
    assert out == json.dumps(json.loads(out), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("unknown 'x'; did you mean 'y'?.", "unknown 'x'; did you mean 'y'?"),
        ("x could not be made: the disk is full..", "x could not be made: the disk is full."),
        ("x failed (y.); run again.", "x failed (y); run again."),
        ("x failed: y.; run again.", "x failed: y; run again."),
        ("give a size (e.g. 5 GB); cd /.. first.", "give a size (e.g. 5 GB); cd /.. first."),
        ("it ends with...", "it ends with..."),
    ],
)
def test_a_message_that_carries_another_has_one_end(message: str, expected: str) -> None:
    """Every error of both commands is put right when it is raised."""
    assert make_sentence(message) == expected
    assert str(InputError(message)) == str(UsageError(message)) == expected


@pytest.mark.parametrize("error", [ValueError(), ValueError("\n \n"), RuntimeError("first\nsecond")])
def test_the_reason_of_an_error_without_words_is_its_type(error: Exception) -> None:
    """No message is never a traceback."""
    assert find_reason(error).startswith(type(error).__name__)
    assert "\n" not in find_reason(error)
    assert find_reason("") == "it gave no reason"


def test_no_line_of_an_error_is_taken_by_its_number() -> None:
    """`str(error).splitlines()[0]` is an IndexError for an empty message; reason_of takes the line."""
    by_number = re.compile(r"str\(\s*\w+\s*\)(\.strip\(\))?\.splitlines\(\)\s*\[")
    assert by_number.search("reason = str(error).strip().splitlines()[0]")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in [*ROOT.glob("builder/**/*.py"), *ROOT.glob("harness/**/*.py")]
        for match in by_number.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_an_exit_code_is_stated_once() -> None:
    """Every error of both commands ends with one of ExitCode, and `--help` explains each of them."""
    kinds = [kind for module in (builder.errors, harness.errors) for kind in vars(module).values()]
    shown = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ShownError) and kind.exit_code != 1]
    assert len(shown) > 15
    assert all(isinstance(kind.exit_code, ExitCode) for kind in shown)
    assert {int(number) for number in re.findall(r"\d+", EXIT_CODES)} == {0, *ExitCode}
