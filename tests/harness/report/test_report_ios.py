"""What a report says of a run by Core ML: compiling, the device of each op, the power mode, and the simulator's label."""

from __future__ import annotations

from harness.analysis.session_verdict import judge_sessions
from harness.records.run import OpDevice, Reading, Sample
from harness.report.cards import make_card
from harness.report.model import Entry, summarize_run
from harness.report.text import describe_op_devices
from harness.report.view import Gallery
from tests.harness.runs import device, make_run

OPS = (
    *(OpDevice(op="ios16.conv", device="neural engine") for _ in range(20)),
    *(OpDevice(op="ios16.cast", device="cpu") for _ in range(2)),
    OpDevice(op="ios16.softmax", device="cpu"),
)


def test_the_ops_that_left_the_neural_engine_are_named() -> None:
    """The device with most ops first; of the others each op, so that a reader sees what really ran where."""
    run = make_run(backend="coreml", op_devices=OPS)
    assert describe_op_devices(run) == "neural engine 20; cpu 3 (ios16.cast x 2, ios16.softmax)"


def test_a_card_tells_compiling_and_power_mode() -> None:
    """Compile time stands beside load and first inference; low power mode is told where the app told it."""
    run = make_run(
        backend="coreml",
        device=device("ios", "phone"),
        op_devices=OPS,
        compile_ns=Reading(value=81_000_000, unit="ns"),
        samples=(Sample(t_s=0.5, probe="low_power_mode", value=1, unit="flag"),),
    )
    (verdict,) = judge_sessions([run])
    entry = Entry(
        run=run,
        name=run.variant,
        verdict=verdict,
        rounds=1,
        summary=summarize_run(run),
        level=None,
        variant=None,
        pictures=(),
        detailed=True,
    )
    made = make_card(entry, "a", Gallery())
    facts = {fact.name: fact.value for fact in made.facts}
    assert facts["ops by device"].startswith("neural engine 20")
    assert facts["low power mode"] == "on"
    assert facts["compile"] == "81.0 ms"
    assert facts["load"] == "4.00 ms"
