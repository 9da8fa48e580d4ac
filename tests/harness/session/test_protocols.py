"""Protocols: warm-up and sample counts from the data, conditions waited for, rounds, lasting load, lost devices, resuming."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.bundle import Bundle, Variant
from harness.analysis.comparison import compare_builds
from harness.analysis.throttling import find_throttling
from harness.cli import PROTOCOL_NAMES
from harness.clock import Clock
from harness.devices import DEVICES
from harness.devices.base import Measured, Request
from harness.errors import DeviceAbsent, DeviceError, DeviceLost, MeasurementError, UsageError
from harness.protocol import PROTOCOLS, Protocol, Wanted, find_protocol
from harness.records.run import Conditions, DeviceInfo, ProcessorUse, Reading, TextReading, TimeInState
from harness.records.store import open_store, read_runs
from harness.records.verdict import Verdict
from harness.session import device_turns
from harness.session.conditions import find_unmet, wait_for
from harness.session.measurement import measure_lasting, settle
from harness.session.order import draw_turns, list_contenders, williams
from harness.session.outcome import SessionResult, Step
from harness.session.session import find_resumable, open_bundle_or_package, run_session
from harness.statistics.warmup import find_warmup_length
from tests.harness.runs import make_run

LOCAL = True  # what a session asks of a device's kind


@dataclass
class VirtualClock:
    """Time that passes when somebody waits."""

    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Bench:
    """A device made of numbers: `latency_ns(n)` is its nth inference, `lost` the calls of `measure` that find it gone."""

    clock: VirtualClock
    latency_ns: Callable[[int], int] = lambda n: 10_000_000
    temperature: Callable[[float], float] = lambda t: 30.0
    lost: tuple[int, ...] = ()
    calls: list[Request] = field(default_factory=list)
    made: int = 0
    metric: Literal["latency", "instructions"] = "latency"
    simulated: str | None = "a device made of numbers"

    @property
    def info(self) -> DeviceInfo:
        text = TextReading(value="numbers")
        return DeviceInfo(kind="bench", id="1", model=text, soc=text, os=text, build=text, abi=text)

    def find_unsupported(self, variant: Variant) -> str | None:
        return None if variant.backend == "tflite" else "it takes TFLite only"

    def conditions(self) -> Conditions:
        return state(self.temperature(self.clock.now()))

    def measure(self, request: Request) -> Measured:
        self.calls.append(request)
        if len(self.calls) in self.lost:
            raise DeviceLost("it went away.")
        samples = [self.latency_ns(self.made + n) for n in range(request.warmup + request.runs)]
        self.made += len(samples)
        self.clock.sleep(sum(samples) / 1e9)
        none = Reading(unit="B", reason="made of numbers")
        return Measured(
            mode="shell",
            runtime="numbers",
            runtime_version="1",
            delegate_executed=TextReading(value="xnnpack"),
            load_ns=Reading(value=1, unit="ns"),
            first_ns=Reading(value=samples[0], unit="ns"),
            latency_ns=tuple(samples[request.warmup :]),
            instructions=Reading(unit="instructions", reason="made of numbers"),
            peak_memory_bytes=none,
            outputs={},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def state(temperature_c: float, *, status: float = 0, battery: float = 80, charging: str = "on battery") -> Conditions:
    return Conditions(
        temperature_c=Reading(value=temperature_c, unit="degC"),
        thermal_status=Reading(value=status, unit="status"),
        battery_percent=Reading(value=battery, unit="%"),
        charging=TextReading(value=charging),
    )


def doing(*, screen: str = "on", airplane: str = "off", load: float = 0) -> Conditions:
    """A cool device with these modes, on which other programs use `load` percent."""
    told = {
        "screen": TextReading(value=screen),
        "airplane_mode": TextReading(value=airplane),
        "background_load": Reading(value=load, unit="%"),
    }
    return state(30).model_copy(update=told)


@pytest.fixture
def bundle(unopened_bundle: Path) -> Bundle:
    with open_bundle_or_package(unopened_bundle) as opened:
        return opened


def make_request(bundle: Bundle) -> Request:
    variant = bundle.manifest.variants[0]
    return Request(
        artifact=bundle.path(variant.file), variant=variant, inputs={}, threads=1, warmup=5, runs=30, timeout_s=60
    )


def measure_on(
    bench: Bench, bundle: Bundle, protocol: Protocol, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> SessionResult:
    monkeypatch.setattr(device_turns, "open_device", lambda name: bench)
    monkeypatch.setitem(DEVICES, "bench", __name__)
    return run_session(bundle, ["bench"], protocol, options.pop("store", None), clock=bench.clock, **options)


def test_the_warm_up_ends_where_the_series_says() -> None:
    """Forty slow inferences at the start are dropped, to within a batch of five."""
    noise = np.random.default_rng(1).normal(0, 0.01, 300)
    series = [int(1e6 * (1 + n)) for n in noise]
    slow = [int(value * (1.5 if index < 40 else 1.0)) for index, value in enumerate(series)]
    assert find_warmup_length(slow) in (40, 45)
    assert find_warmup_length(series) <= 60


@given(st.lists(st.integers(min_value=1, max_value=10**10), max_size=200))
def test_at_most_half_is_ever_dropped(samples: list[int]) -> None:
    """Whatever the series, a count of whole batches and no more than half of it."""
    assert 0 <= find_warmup_length(samples) <= len(samples) / 2 + 5
    assert find_warmup_length(samples) % 5 == 0


def test_a_noisy_device_is_asked_for_more_samples(bundle: Bundle) -> None:
    """The pass grows until the interval of the median is narrow enough, and never beyond `max_runs`."""
    draw = np.random.default_rng(2)
    plan = Protocol(name="p", warmup=5, runs=30, max_runs=400, interval=0.02)
    quiet, noisy = (
        Bench(VirtualClock()),
        Bench(VirtualClock(), latency_ns=lambda n: int(1e7 * (1 + 0.3 * draw.random()))),
    )
    assert len(settle(quiet.measure, make_request(bundle), plan).latency_ns) >= 30
    assert len(quiet.calls) == 1
    timed = settle(noisy.measure, make_request(bundle), plan)
    assert len(noisy.calls) > 1
    assert 60 <= len(timed.latency_ns) <= 600
    assert timed.warm_up + len(timed.latency_ns) == noisy.calls[-1].runs + 5


@pytest.mark.parametrize(
    ("found", "wanted", "why"),
    [
        (state(41), Wanted(max_temperature_c=38), "41.0 °C, the limit is 38.0"),
        (state(33), Wanted(cool_down_c=2), "33.0 °C, the limit is 32.0"),
        (state(30, status=2), Wanted(max_thermal_status=0), "thermal status is 2"),
        (state(30, battery=10), Wanted(min_battery_percent=25), "battery has 10 %"),
        (state(30, charging="charging (USB)"), Wanted(not_charging=True), "it is charging"),
        (doing(screen="off"), Wanted(screen="on"), "its screen is off, on is wanted"),
        (doing(screen="on"), Wanted(screen="off"), "its screen is on, off is wanted"),
        (doing(airplane="off"), Wanted(airplane_mode=True), "its airplane mode is off, on is wanted"),
        (doing(airplane="on"), Wanted(airplane_mode=False), "its airplane mode is on, off is wanted"),
        (doing(load=31), Wanted(max_load=20), "other programs use 31 % of its processors, the limit is 20 %"),
        (doing(load=3), Wanted(screen="on", airplane_mode=False, max_load=20), None),
        (
            state(30),
            Wanted(screen="on", airplane_mode=True, max_load=1),
            None,
        ),  # what it does not tell is not waited for
        (state(30), Wanted(max_temperature_c=38, cool_down_c=2, max_thermal_status=0, min_battery_percent=25), None),
    ],
)
def test_a_condition_that_does_not_hold_is_told_with_both_figures(
    found: Conditions, wanted: Wanted, why: str | None
) -> None:
    """Each condition alone, and all of them met."""
    reason = find_unmet(found, wanted, start_c=30.0)
    assert reason is None if why is None else why in str(reason)


def test_cool_down_is_by_temperature_and_has_a_limit() -> None:
    """A device that cools is waited for as long as it takes; one that does not is an error with the figure."""
    clock = VirtualClock()
    cooled = wait_for(lambda: state(45 - clock.now() / 10), Wanted(max_temperature_c=38, wait_s=600), None, clock)
    assert cooled.temperature_c.value == pytest.approx(38, abs=1)
    assert clock.now() == pytest.approx(70, abs=10)
    with pytest.raises(MeasurementError, match=r"not ready within 60 s: it has 50\.0 °C"):
        wait_for(lambda: state(50), Wanted(max_temperature_c=38, wait_s=60), None, clock)


def test_rounds_interleave_the_variants_the_same_way_each_time(bundle: Bundle) -> None:
    """Every round has every variant once; the order changes between rounds and is the same for the same seed."""
    entries = list_contenders(bundle, None)
    order = draw_turns(entries, 20, 0)
    for number in range(20):
        assert {e.name for r, e in order if r == number} == {e.name for e in entries}
    assert len({tuple(e.name for r, e in order if r == number) for number in range(20)}) > 1
    assert order == draw_turns(entries, 20, 0)
    assert order != draw_turns(entries, 20, 1)


@pytest.mark.parametrize("count", range(2, 9))
def test_an_order_is_balanced(count: int) -> None:
    """Each variant stands equally often in each place of a round, and follows each other one equally often (Williams 1949)."""
    rows = williams(count)
    places = Counter((place, item) for row in rows for place, item in enumerate(row))
    follows = Counter(pair for row in rows for pair in pairwise(row))
    assert set(places.values()) == {len(rows) // count}
    assert len(follows) == count * (count - 1)
    assert len(set(follows.values())) == 1


# The bench gives no outputs: this is what a run of it would say if it did.
GOOD = {"verdict": Verdict.of("ok"), "golden": make_run().golden}


def test_two_builds_of_a_variant_take_turns(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One session measures both, neighbours in each round, the older first in half of them; it is told from the records alone."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    plan = Protocol(name="p", warmup=1, runs=10, rounds=6, memory_pass=False)
    measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch, store=store, baseline=bundle)
    runs = list(store.runs())
    assert [(run.round, run.variant) for run in runs] == [(turn, "tflite-fp32") for turn in range(6) for _ in "ab"]
    assert [sum(run.baseline for run in runs[turn * 2 : turn * 2 + 2]) for turn in range(6)] == [1] * 6
    assert sum(run.baseline for run in runs[::2]) == 3
    assert len({(run.session, run.protocol.seed) for run in runs}) == 1
    store.close()
    (found,) = compare_builds(run.model_copy(update=GOOD) for run in runs)
    assert found.ratio is not None
    assert (found.ratio.basis, found.ratio.rounds, found.verdict) == ("paired rounds", 6, "no significant difference")


def test_each_session_has_a_seed_of_its_own(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that is the same in every session would favour the same variant in all of them."""
    plan = Protocol(name="p", warmup=1, runs=5, rounds=2, memory_pass=False)
    seeds = [measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch).runs[0].protocol.seed for _ in range(3)]
    assert len(set(seeds)) == 3
    fixed = plan.model_copy(update={"seed": 7})
    assert measure_on(Bench(VirtualClock()), bundle, fixed, monkeypatch).runs[0].protocol.seed == 7


def test_lasting_load_shows_throttling_on_one_time_axis(bundle: Bundle) -> None:
    """Ten minutes on a device that slows down by a third after four: the fall is found, with temperatures beside it."""
    clock = VirtualClock()
    bench = Bench(
        clock, latency_ns=lambda n: 15_000_000 if clock.now() > 240 else 10_000_000, temperature=lambda t: 30 + t / 60
    )
    timed = measure_lasting(bench, make_request(bundle), 600, clock)
    assert 570 <= sum(timed.latency_ns) / 1e9 <= 640
    temperatures = [sample for sample in timed.samples if sample.unit == "degC"]
    assert temperatures[-1].value - temperatures[0].value > 8
    assert max(b.t_s - a.t_s for a, b in pairwise(temperatures)) <= 46


class Counted(Bench):
    """A bench that tells two processor seconds and one second at 1 GHz of every pass."""

    def measure(self, request: Request) -> Measured:
        part = Reading(value=2, unit="s")
        domain = TimeInState(policy="policy0", cpus="0 1", mhz=(1000.0,), seconds=(1.0,))
        use = ProcessorUse(time_in_state=(domain,), passed_s=part, busy_s=part, own_s=part)
        return replace(super().measure(request), processor_use=use)


def test_lasting_load_adds_up_what_the_processors_did(bundle: Bundle) -> None:
    """The counters of all parts, the pauses between them left out."""
    clock = VirtualClock()
    bench = Counted(clock)
    use = measure_lasting(bench, make_request(bundle), 120, clock).last.processor_use
    assert use is not None
    assert len(bench.calls) > 3
    assert (use.passed_s.value, use.time_in_state[0].seconds) == (2 * len(bench.calls), (len(bench.calls),))


def test_a_sustained_session_has_the_fall_in_its_record(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From `sustained` to the record: time to throttle and the ratio of last to best minute."""
    clock = VirtualClock()
    bench = Bench(clock, latency_ns=lambda n: 15_000_000 if clock.now() > 240 else 10_000_000)
    (run,) = measure_on(bench, bundle, PROTOCOLS["sustained"], monkeypatch).runs
    assert run.protocol.duration_s == 600
    found = find_throttling(run)
    assert found is not None
    assert found.throttled_after_s == pytest.approx(240, abs=40)
    assert found.sustained_ratio == pytest.approx(0.67, abs=0.03)


def test_a_lost_device_is_tried_again_and_nothing_is_measured_twice(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost in the second of three rounds: the session waits, opens it again and ends with one run a round."""
    bench = Bench(VirtualClock(), lost=(2, 3))
    plan = Protocol(name="p", warmup=1, runs=10, rounds=3, memory_pass=False)
    result = measure_on(bench, bundle, plan, monkeypatch)
    assert sorted(run.round or 0 for run in result.runs) == [0, 1, 2]
    assert bench.clock.now() > 10
    assert not [entry for entry in result.skipped if entry.failed]


def test_a_device_that_stays_lost_is_quarantined_with_the_reason(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After six tries it is given up; the failure carries exit code 6, and what was measured before is in the result."""
    bench = Bench(VirtualClock(), lost=tuple(range(2, 99)))
    plan = Protocol(name="p", warmup=1, runs=10, rounds=3, memory_pass=False)
    steps: list[Step] = []
    result = measure_on(bench, bundle, plan, monkeypatch, on_step=steps.append)
    assert len(result.runs) == 1
    waits = [step.waiting for step in steps if step.waiting is not None]
    assert waits == [f"it went away. It is tried again in {seconds} s." for seconds in (2, 8, 30, 60, 90)]
    (failed,) = [entry for entry in result.skipped if entry.failed]
    assert failed.exit_code == DeviceError.exit_code
    assert failed.reason == "quarantined after 6 tries: it went away."


class LostOnLeaving(Bench):
    """Goes away when all was measured, while the session puts back what it changed."""

    def __exit__(self, *error: object) -> None:
        raise DeviceLost("it went away.")


def test_a_device_that_is_lost_after_its_last_measurement_loses_nothing(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All runs are in the result, and nobody is waited for: the next start of that device repairs it."""
    bench = LostOnLeaving(VirtualClock())
    plan = Protocol(name="p", warmup=1, runs=10, rounds=3, memory_pass=False)
    steps: list[Step] = []
    result = measure_on(bench, bundle, plan, monkeypatch, on_step=steps.append)
    assert [run.round for run in result.runs] == [0, 1, 2]
    assert not [entry for entry in result.skipped if entry.failed]
    assert not [step for step in steps if step.waiting is not None]


def test_a_session_is_resumed_from_its_store(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed session has stored is not measured again, and the rest gets the same session id."""
    where = str(tmp_path / "runs.sqlite")
    plan = Protocol(name="p", warmup=1, runs=10, rounds=4, memory_pass=False)
    first = Bench(VirtualClock(), lost=tuple(range(3, 99)))
    store = open_store(where, create=True)
    measure_on(first, bundle, plan, monkeypatch, store=store)
    assert len(read_runs(where)) == 2
    second = Bench(VirtualClock())
    measure_on(second, bundle, plan, monkeypatch, store=store, resume=True)
    store.close()
    runs = read_runs(where)
    assert sorted(run.round or 0 for run in runs) == [0, 1, 2, 3]
    assert len({run.session for run in runs}) == 1
    assert len(second.calls) == 2


def test_a_device_that_was_never_there_costs_two_seconds(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A serial that is not connected is tried once more; one that was there gets its minutes."""

    def absent(name: str) -> Bench:
        raise DeviceAbsent(f"{name} is not connected.")

    monkeypatch.setattr(device_turns, "open_device", absent)
    clock = VirtualClock()
    result = run_session(bundle, ["android:GONE"], PROTOCOLS["quick"], None, clock=clock)
    assert clock.now() == 2
    assert [entry.reason for entry in result.skipped] == ["quarantined after 2 tries: android:GONE is not connected."]


def test_a_complete_session_that_is_resumed_is_done(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left to measure: no run, no failure, and the runs that are there."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    plan = Protocol(name="p", warmup=1, runs=10, rounds=2, memory_pass=False)
    measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch, store=store)
    again = measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch, store=store, resume=True)
    store.close()
    assert (len(again.runs), len(again.earlier)) == (0, 2)


def test_there_must_be_something_to_resume(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another protocol, one of the same name that was edited, or no store at all, is bad usage."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    with pytest.raises(UsageError, match="no session of this bundle with this protocol 'standard'; start one"):
        find_resumable(bundle, PROTOCOLS["standard"], store)
    measure_on(Bench(VirtualClock()), bundle, PROTOCOLS["quick"], monkeypatch, store=store)
    assert find_resumable(bundle, PROTOCOLS["quick"], store)
    with pytest.raises(UsageError, match="it was edited since: start one without --resume"):
        find_resumable(bundle, PROTOCOLS["quick"].model_copy(update={"seed": 7}), store)
    store.close()
    with pytest.raises(UsageError, match="name it with -o"):
        find_resumable(bundle, PROTOCOLS["quick"], None)


def test_a_protocol_of_ones_own_is_a_toml_file(tmp_path: Path) -> None:
    """Its name is the file's, its sections those of the models."""
    path = tmp_path / "night.toml"
    path.write_text(
        "warmup = 10\nruns = 100\nrounds = 3\n[conditions]\nmax_temperature_c = 35\n[pins]\nstay_awake = true\n"
    )
    plan = find_protocol(str(path))
    assert (plan.name, plan.rounds, plan.conditions.max_temperature_c, plan.pins.stay_awake) == ("night", 3, 35, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("warmup = 10\nruns = 100\nroundz = 3\n", "unknown key 'roundz'; did you mean 'rounds'?"),
        ("warmup = 10\n", "'runs' is missing"),
        ("warmup = 0\nruns = 1\n", "warmup: Input should be greater than or equal to 1"),
        ("warmup = 1\nruns = 10\nmax_runs = 5\n", "'max_runs' (5) is less than 'runs' (10)"),
        ("warmup = \n", "is not TOML"),
        ("warmup = 1\nruns = 1\n[conditions]\nscreen = true\n", "conditions.screen: Input should be 'on' or 'off'"),
        ("warmup = 1\nruns = 1\n[conditions]\nmax_load = 0\n", "conditions.max_load: Input should be greater than 0"),
        ("warmup = 1\nruns = 1\n[conditions]\nscren = 'on'\n", "did you mean 'screen'?"),
        (
            "warmup = 1\nruns = 1\n[conditions]\nscreen = 'off'\n[pins]\nstay_awake = true\n",
            "waits for what 'pins.stay_awake' prevents",
        ),
        (
            "warmup = 1\nruns = 1\n[conditions]\nairplane_mode = false\n[pins]\nairplane_mode = true\n",
            "waits for what 'pins.airplane_mode' prevents",
        ),
        ("warmup = 1\nruns = 1\n[conditions]\nmax_temperature = 3\n", "did you mean 'max_temperature_c'?"),
    ],
)
def test_a_wrong_protocol_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Each names the file and the key."""
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        find_protocol(str(path))
    assert words in str(caught.value)
    assert "own.toml" in str(caught.value)


def test_a_session_goes_on_until_it_is_decided(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A steady device needs no more rounds than are asked; on one whose runs differ by 20 % they go on to the limit, which is told."""
    plan = Protocol(name="p", warmup=1, runs=20, rounds=3, max_rounds=7, decide=0.05, memory_pass=False)
    monkeypatch.setattr("harness.session.measurement.judge", lambda run: run.model_copy(update=GOOD))
    steady = measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch)
    assert [run.round for run in steady.runs] == [0, 1, 2]
    draw = np.random.default_rng(5)
    levels = np.exp(draw.normal(0, 0.2, 50))
    wild = Bench(VirtualClock(), latency_ns=lambda n: int(1e7 * levels[n // 31]))
    with caplog.at_level(logging.WARNING):
        found = measure_on(wild, bundle, plan, monkeypatch)
    assert [run.round for run in found.runs] == list(range(7))
    assert (
        "5 % cannot be decided for 1 variants after 7 rounds, the limit; the first, tflite-fp32: its interval"
        in caplog.text
    )


@pytest.mark.parametrize(("text", "value"), [('"5 %"', 0.05), ('"2.5%"', 0.025), ("0.1", 0.1)])
def test_what_is_to_be_decided_is_a_percentage(text: str, value: float, tmp_path: Path) -> None:
    """As people write it, or as a fraction; nonsense and a limit below the rounds are sentences."""
    path = tmp_path / "own.toml"
    path.write_text(f"warmup = 1\nruns = 5\nmax_rounds = 9\ndecide = {text}\n")
    assert find_protocol(str(path)).decide == pytest.approx(value)
    for wrong in ('decide = "much"\nmax_rounds = 9', 'decide = "5 %"'):
        path.write_text(f"warmup = 1\nruns = 5\n{wrong}\n")
        with pytest.raises(UsageError, match="decide"):
            find_protocol(str(path))


def test_a_protocol_extends_another(tmp_path: Path) -> None:
    """What a file does not say is as in the one that it extends, section by section; an unknown one is a sentence."""
    path = tmp_path / "night.toml"
    path.write_text('extends = "standard"\nrounds = 9\n[conditions]\nmax_temperature_c = 30\n')
    plan, standard = find_protocol(str(path)), PROTOCOLS["standard"]
    assert (plan.name, plan.rounds, plan.conditions.max_temperature_c) == ("night", 9, 30)
    assert (plan.runs, plan.pins, plan.conditions.cool_down_c) == (
        standard.runs,
        standard.pins,
        standard.conditions.cool_down_c,
    )
    path.write_text('extends = "nothing"\n')
    with pytest.raises(UsageError, match=r"extends: 'nothing' is none of quick, standard, sustained"):
        find_protocol(str(path))


def test_only_the_variants_that_are_asked_for(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are neither measured nor listed; an id that the bundle does not have names the near one."""
    plan = Protocol(name="p", warmup=1, runs=5, memory_pass=False)
    result = measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch, variants=["tflite-fp32"])
    assert ([run.variant for run in result.runs], result.skipped) == (["tflite-fp32"], ())
    with pytest.raises(UsageError, match="no variant 'tflite-fp23'; did you mean 'tflite-fp32'"):
        measure_on(Bench(VirtualClock()), bundle, plan, monkeypatch, variants=["tflite-fp23"])


def test_the_command_line_offers_all_protocols() -> None:
    """Its list, which is kept apart so that help answers at once, is that of the protocols."""
    assert tuple(PROTOCOLS) == PROTOCOL_NAMES


def test_an_unknown_protocol_names_the_near_one(tmp_path: Path) -> None:
    """A misspelt name, and a file that is not there."""
    with pytest.raises(UsageError, match="did you mean 'standard'"):
        find_protocol("standart")
    with pytest.raises(UsageError, match="does not exist"):
        find_protocol(str(tmp_path / "none.toml"))


def test_the_clock_of_tests_is_a_clock() -> None:
    """The stand-in keeps to the interface."""
    clock: Clock = VirtualClock()
    clock.sleep(3)
    assert clock.now() == 3
    assert replace(VirtualClock(), seconds=2).now() == 2
