"""Headroom, time at each clock, load, screen: right on recordings, null with a reason on the rest, never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.processor_use import add_up, average_clock, find_fastest_domain, load_beside, measure_top_share
from harness.probes.counters import count, measure_app_use, parse_use
from harness.probes.headroom import read_thermal_headroom
from harness.probes.load import load_average, measure_background_load, read_app_time, read_own_time, read_processor_time
from harness.probes.screen import parse_screen, read_airplane_mode
from harness.probes.time_in_state import measure_time_in_state
from harness.records.run import Reading
from tests.harness.runs import make_run

DATA = Path(__file__).parents[2] / "data" / "android"
HEAD = ("edgebundle-counters", "edgebundle-times", "cpu  ", "policy0\t0 1", "policy7\t", "Headroom in 0 seconds: ")
REST = (
    *("Current temperatures from HAL:", "Temperature{mValue=", "TemperatureThreshold{mType=3, mName=", "SKIN", "]}"),
    *(", mHotThrottlingThresholds=[", ", mType=3, mName=SKIN, mStatus=0}", "NaN, NaN, NaN, 45.0", "mWakefulness="),
    *("Awake", "Asleep", "Permission denied", "0m1.5s", "1m0.00s", "3.20 2.75 2.60 2/1830 4711", "4711 (a b) S"),
)
NUMBERS = ("0", "1", "-1", "41.5", "300000", "2802000", "99999999999999999", "NaN", "1e99", "٣", "-273000")
dumps = st.lists(
    st.sampled_from((*HEAD, *REST, *NUMBERS, " ", "\n", "\n", "\t")) | st.text(max_size=4), max_size=40
).map("".join)


def recording(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def seconds(value: float) -> Reading:
    return Reading(value=value, unit="s")


def test_headroom_in_the_phones_own_words() -> None:
    """What the command answers counts, whatever the sensors are."""
    reading = read_thermal_headroom(
        "Headroom in 0 seconds: 0.5333334\n", recording("thermalservice_thresholds_synthetic.txt")
    )
    assert (reading.value, reading.unit) == (0.5333334, "headroom")


def test_headroom_by_the_thresholds_of_the_skin() -> None:
    """Without the command: 30 degrees below the limit of severe throttling are 0, of several skin sensors the nearest counts."""
    dump = recording("thermalservice_thresholds_synthetic.txt")
    help_text = "Thermal service (thermalservice) commands:\n  help\n    Print this help text.\n"
    assert read_thermal_headroom(help_text, dump).value == pytest.approx(1 - (45 - 31.5) / 30)
    hotter = dump.replace("mValue=33.0, mType=3", "mValue=57.0, mType=3")
    assert read_thermal_headroom("", hotter).value == pytest.approx(1.1)
    assert read_thermal_headroom("", dump.replace("mValue=31.5", "mValue=9.0")).value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("said", "dump", "why"),
    [
        ("Headroom in 0 seconds: NaN", "", "'NaN', which is no number"),
        ("Error: thermal HAL is not ready", "", "prints no threshold of the skin"),
        ("", "thermalservice_samsung_a52.txt", "prints no threshold of the skin"),
        ("Headroom in 0 seconds: 2147483647", "", "which cannot be"),
    ],
)
def test_a_phone_without_headroom_says_why(said: str, dump: str, why: str) -> None:
    """NaN, no service, no thresholds (a recorded Samsung), a sentinel."""
    reading = read_thermal_headroom(said, recording(dump) if dump else "")
    assert reading.value is None
    assert why in str(reading.reason)


def test_a_skin_that_tells_no_temperature() -> None:
    """Thresholds alone give no headroom, with the sensor's own reason."""
    dump = recording("thermalservice_thresholds_synthetic.txt")
    silent = dump.replace("mValue=31.5", "mValue=NaN").replace("mValue=33.0", "mValue=0.0")
    assert "VIRTUAL-SKIN" in str(read_thermal_headroom("", silent).reason)
    assert "no temperature of it" in str(
        read_thermal_headroom("", dump.replace("mType=3, mName=VIRTUAL", "mType=3, mName=V", 3)).reason
    )


def test_counters_of_a_pass() -> None:
    """Times at each clock in rising order, what may not be read as such, and the load beside the benchmark."""
    use = parse_use(recording("counters_synthetic.txt"))
    small, denied, big = use.time_in_state
    assert (small.policy, small.cpus, small.mhz, small.seconds) == ("policy0", "0 1 2 3", (300.0, 1803.0), (0.0, 2.0))
    assert (denied.cpus, denied.mhz, denied.reason) == ("4 5 6", (), "not readable from the shell (permission denied)")
    assert (big.mhz, big.seconds) == ((500.0, 1826.0, 2802.0), (0.1, 0.4, 1.5))
    assert average_clock(big).value == pytest.approx((0.1 * 500 + 0.4 * 1826 + 1.5 * 2802) / 2, abs=0.05)
    assert measure_top_share(big).value == 75
    assert average_clock(denied).reason == denied.reason
    assert find_fastest_domain(use) == big
    assert (use.passed_s.value, use.busy_s.value, use.own_s.value) == (17.5, 5.0, 4.0)
    assert load_beside(make_run(processor_use=use)).value == pytest.approx(100 / 17.5, abs=0.01)


def test_counters_that_are_not_whole() -> None:
    """An output that was cut off or came twice gives no numbers, and says why."""
    text = recording("counters_synthetic.txt")
    cut, twice = parse_use(text[: len(text) // 2]), parse_use(text + text)
    assert (cut.passed_s.value, cut.passed_s.reason) == (None, "the counters came 1 times instead of twice")
    assert "4 times" in str(twice.own_s.reason)
    ended = parse_use(text.partition("edgebundle-times")[0])
    assert ended.busy_s.value == 5
    assert "what it started" in str(load_beside(make_run(processor_use=ended)).reason)


def test_nothing_is_read_while_the_benchmark_runs() -> None:
    """One line: counters, the benchmark, counters; the benchmark has the shell to itself and its status is the line's."""
    before, benchmark, after = count("./bench --model m").partition("; ./bench --model m; edgebundle_own=$?; ")
    assert before.count("cat /proc/stat") == after.count("cat /proc/stat") == 1
    assert "&" not in before.replace("2>&1", "") + benchmark
    assert after.endswith("; times; exit $edgebundle_own")


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("cpu  1 2 3 4\n", "cpu  1 2 3 4\n", "0 busy and 0 idle"),
        ("cpu  9 2 3 4\n", "cpu  1 2 3 400\n", "cannot be: -8 busy"),
        ("cat: /proc/stat: Permission denied\n", "", "permission denied"),
        ("cpu0 1 2 3 4\n", "intr 1\n", "tells no times"),
        ("cpu  1 1 1 1\n", f"cpu  {10**17} 1 1 1\n", "cannot be"),
    ],
)
def test_impossible_processor_times(before: str, after: str, why: str) -> None:
    """Counters that stand still, run backwards, jump or are not there."""
    for reading in read_processor_time(before, after):
        assert reading.value is None
        assert why in str(reading.reason)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("policy0\t0\n300000 5\n", "policy0\t0\n300000 5\n", "did not move"),
        ("policy0\t0\n300000 5\n", "policy0\t0\n300000 4\n", "did not move, or not forwards"),
        ("policy0\t0\n300000 5\n", "", "not told both before and after"),
        ("policy0\t0\n300000 5\n", "policy0\t0\n400000 9\n", "not told both before and after"),
        ("policy0\t0\n0 5\n", "policy0\t0\n0 9\n", "clocks that cannot be"),
    ],
)
def test_impossible_times_at_a_clock(before: str, after: str, why: str) -> None:
    """Each is a domain with a reason, no numbers."""
    (state,) = measure_time_in_state(before, after)
    assert (state.mhz, state.seconds) == ((), ())
    assert why in str(state.reason)


def test_load_average_and_times() -> None:
    """The first of the three averages; what children used, in bash's and mksh's forms; a process whose name has brackets."""
    assert load_average("3.20 2.75 2.60 2/1830 4711\n").value == 3.2
    assert "denied" in str(load_average("cat: /proc/loadavg: Permission denied").reason)
    assert read_own_time("0m0.02s 0m0.01s\n1m1.00s 0m0.20s\n").value == pytest.approx(61.2)
    assert read_own_time("0m0,02s\t0m0,01s\n0m1,5s\t0m0,25s\n").value == pytest.approx(1.75)
    process = "4711 (a) S 1 (b) S 1 2 0 0 -1 1077952832 5 0 0 0 100 20 0 0 10 -10\n"
    assert read_app_time(process).value == 1.2
    assert (
        read_app_time("cat: /proc//stat: No such file or directory\ncpu 1 2 3 4 5 6 7 8 9 10 11 12 13 14\n").value
        is None
    )


def test_load_beside_an_app() -> None:
    """The app's own counters are taken off what all programs used."""
    before, after = (
        "cpu  100 0 0 100\n",
        "cpu  400 0 0 400\nedgebundle-times\n7 (x) S 1 2 0 0 -1 5 5 0 0 0 200 40 0 0\n",
    )
    use = measure_app_use(before, after)
    assert (use.passed_s.value, use.busy_s.value, use.own_s.value) == (6.0, 3.0, 2.4)
    assert load_beside(make_run(processor_use=use)).value == 10
    assert "does not tell" in str(load_beside(make_run()).reason)


def test_load_has_limits() -> None:
    """A benchmark that used more than all is rounding; a pass that is too short tells nothing."""
    assert measure_background_load(seconds(10), seconds(4), seconds(4.02)).value == 0
    assert measure_background_load(seconds(10), seconds(4), seconds(1)).value == 30
    assert "too short" in str(measure_background_load(seconds(0.1), seconds(0.1), seconds(0)).reason)
    assert measure_background_load(Reading(unit="s", reason="why"), seconds(1), seconds(0)).reason == "why"


def test_parts_of_lasting_load_are_added_up() -> None:
    """Times and clocks of all parts; what one of them lacks, the whole lacks."""
    use = parse_use(recording("counters_synthetic.txt"))
    both = add_up([use, use])
    assert both is not None
    assert both.passed_s.value == 35
    assert [state.seconds for state in both.time_in_state] == [(0.0, 4.0), (), (0.2, 0.8, 3.0)]
    assert load_beside(make_run(processor_use=both)).value == load_beside(make_run(processor_use=use)).value
    broken = add_up([use, parse_use("")])
    assert broken is not None
    assert broken.passed_s.value is None
    assert {state.mhz for state in broken.time_in_state} == {()}
    assert add_up([use, None]) is None
    assert add_up([use]) == use


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("  mWakefulness=Awake\n", "on"),
        ("mWakefulness=Dreaming\n", "on"),
        ("  mWakefulness=Asleep\n", "off"),
        ("  mWakefulness=Dozing\n", "off"),
        ("  mWakefulness=Wach\n", None),
        ("  mWakefulnessChanging=false\n", None),
        ("Can't find service: power\n", None),
    ],
)
def test_screen(text: str, state: str | None) -> None:
    """On while people see a picture; a doze with its clock is off; anything else is null with the reason."""
    reading = parse_screen(text)
    assert reading.value == state
    assert reading.value or reading.reason


def test_airplane_mode() -> None:
    """On, off, and a device that never set it."""
    assert [read_airplane_mode(text).value for text in ("1\n", " 0 \n", "null\n", "")] == ["on", "off", None, None]
    assert read_airplane_mode("null\n").reason == "the setting airplane_mode_on says 'null'"


@given(dumps, dumps)
def test_no_text_gives_an_impossible_value(first: str, second: str) -> None:
    """Whatever is printed before and after a pass, each value is within its limits or null with a reason."""
    use = parse_use(f"\nedgebundle-counters\n{first}\nedgebundle-counters\n{second}")
    app = measure_app_use(first, second)
    readings = [
        (read_thermal_headroom(first, second), 0.0, 10.0),
        (load_average(first), 0.0, 1e5),
        (load_beside(make_run(processor_use=use)), 0.0, 100.0),
        *((reading, 0.0, 1e13) for each in (use, app) for reading in (each.passed_s, each.busy_s, each.own_s)),
        *((average_clock(state), 1.0, 10_000.0) for state in use.time_in_state),
        *((measure_top_share(state), 0.0, 100.0) for state in use.time_in_state),
    ]
    for reading, low, high in readings:
        assert reading.reason if reading.value is None else low <= reading.value <= high
    assert parse_screen(first).value in (None, "on", "off")
    assert read_airplane_mode(first).value in (None, "on", "off")
