"""What `harness profile --json` writes and `harness report --profile` reads: time by layer of variants on devices (contract, `schema: 1`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.errors import UsageError
from harness.records.run import Frozen


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator as a runtime executed it: its kernel, and ns, one a profiled inference."""

    kernel: str
    ns: tuple[int, ...]


Part = Annotated[float, Field(ge=0, le=1)]
Nanoseconds = Annotated[float, Field(ge=0)]


class LayerTime(Frozen):
    """One operator as the runtime executed it: `layer` is the manifest's, None for what belongs to none. `ns` is the median over the profiled
    inferences, `low_ns` and `high_ns` the lowest and the highest; `share` is that of all operators' medians. `damage_db` is the PSNR of the
    outputs when only this layer (with its neighbours) is lowered to the scheme `damage_in`, as `builder search` found it."""

    layer: str | None
    op: str
    kernel: str
    ns: Nanoseconds
    low_ns: Nanoseconds
    high_ns: Nanoseconds
    share: Part
    realised: str | None = None
    damage_db: float | None = None
    damage_in: str | None = None


class Profile(Frozen):
    """A variant on a device. `total_ns` is the sum of its operators; `simulated` the label of times that are no latency; `unnamed` says why
    no layer could be named."""

    variant: str
    variant_sha256: str
    device: str
    simulated: str | None
    runtime: str
    runtime_version: str
    threads: int
    inferences: int
    total_ns: Nanoseconds
    operators: tuple[LayerTime, ...]
    unnamed: str | None = None


class Profiles(Frozen):
    """The whole document."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    profiles: tuple[Profile, ...]


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """Raises UsageError for a file that `harness profile` did not write."""
    cure = "give what 'harness profile -o' wrote"
    try:
        return Profiles.model_validate_json(read_text(path, cure)).profiles
    except (ValidationError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no profile; {cure}.") from error


def read_text(path: Path, cure: str) -> str:
    """Raises UsageError for what is no file, which is not waited for, or cannot be read, and UnicodeDecodeError for no UTF-8."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file; {cure}.")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); {cure}.") from error
