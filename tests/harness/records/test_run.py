"""Run records: the exchange format, its schema file, and what happens to damaged lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.records.run import SCHEMA as RECORD
from harness.records.run import Run, parse_run, read_jsonl
from tests.harness.runs import make_counted_run, make_run

SCHEMA = Path(__file__).parents[3] / "docs" / "formats" / "run-record.schema.json"


@pytest.mark.parametrize("run", [make_run(), make_counted_run(123_456)])
def test_record_survives_its_line(run: Run) -> None:
    """What is written as one line of JSON is read back equal."""
    line = run.to_json()
    assert "\n" not in line
    assert parse_run(line, where="here") == run


def test_schema_file_is_up_to_date() -> None:
    """docs/formats/run-record.schema.json is what the model says; scripts/schemas.py writes it."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == Run.model_json_schema(by_alias=True)


def test_newer_schema_is_refused_with_the_cure() -> None:
    """A record of a later edgebundle names both schema numbers."""
    line = make_run().to_json().replace(f'"schema": {RECORD}', f'"schema": {RECORD + 1}')
    with pytest.raises(StoreError, match=f"schema {RECORD + 1} but this edgebundle reads up to {RECORD}; upgrade"):
        parse_run(line, where="runs.jsonl line 3")


def test_a_missing_value_needs_a_reason() -> None:
    """Null without a reason, and a value with one, are both refused, naming the field."""
    raw = json.loads(make_run().to_json())
    for value, reason in ((None, None), (3, "why")):
        raw["load_ns"] = {"value": value, "unit": "ns", "reason": reason}
        with pytest.raises(StoreError, match="load_ns"):
            parse_run(json.dumps(raw), where="here")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    """JSON that Python reads as NaN or infinity is no reading."""
    line = make_run().to_json().replace("4000000.0", number)
    with pytest.raises(StoreError, match="load_ns"):
        parse_run(line, where="here")


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(Run.model_fields)), JSON_VALUES)
def test_any_value_in_any_field_is_a_record_or_one_sentence(field: str, value: object) -> None:
    """A field with an arbitrary value gives a run that can be written again, or a StoreError; never anything else."""
    raw = json.loads(make_run().to_json())
    raw["schema" if field == "schema_" else field] = value
    try:
        run = parse_run(json.dumps(raw), where="here")
    except StoreError:
        return  # one sentence; any other exception fails the test
    assert parse_run(run.to_json(), where="there") == run


@given(
    st.text(max_size=200)
    | st.integers(1, 5000).map(lambda depth: "[" * depth)
    | st.integers(0, 1500).map(lambda cut: make_run().to_json()[:cut])
)
def test_any_line_is_a_record_or_one_sentence(line: str) -> None:
    """Garbage, deep nesting and truncated lines are a StoreError."""
    with pytest.raises(StoreError, match="here"):
        parse_run(line, where="here")


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """The message has the file and the number of the line; blank lines count and are skipped."""
    path = tmp_path / "runs.jsonl"
    path.write_text(make_run().to_json() + "\n\n{torn", encoding="utf-8")
    with pytest.raises(StoreError, match=r"runs\.jsonl line 3"):
        list(read_jsonl(path))


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are a StoreError that names the file."""
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(StoreError, match=r"runs\.jsonl line 1 is not a JSON object"):
        list(read_jsonl(path))
