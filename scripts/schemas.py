"""Write the JSON Schemas of the contracts to docs/formats: run it after a change of the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from builder.backends import BACKENDS
from builder.bundle import Manifest
from builder.precision.plan import PlanFile
from builder.project.config import Config
from harness.protocol import Protocol
from harness.records.run import Run

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "formats"
SCHEMAS: dict[str, type[BaseModel]] = {
    "builder.schema.json": Config,
    "plan.schema.json": PlanFile,
    "manifest.schema.json": Manifest,
    "run-record.schema.json": Run,
    "protocol.schema.json": Protocol,
}


def make_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a format. A manifest's model takes any backend, for it stands below them; the format has those that there are."""
    schema = model.model_json_schema(by_alias=True)
    for name in ("Variant", "FailedVariant") if model is Manifest else ():
        properties = schema["$defs"][name]["properties"]
        properties["backend"] = dict(sorted({**properties["backend"], "enum": list(BACKENDS)}.items()))
    return schema


def write_schema(model: type[BaseModel]) -> str:
    return json.dumps(make_schema(model), indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, model in SCHEMAS.items():
        (FOLDER / name).write_text(write_schema(model), encoding="utf-8")
