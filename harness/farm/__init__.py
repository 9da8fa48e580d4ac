"""Hosted farms: what AWS Device Farm and Firebase Test Lab want to measure an app of ours, and their results as our records."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from builder.bundle import BundleError, open_bundle
from harness.devices.android.apk import read_application_id
from harness.errors import UsageError

ACTIVITY = "org.edgebundle.app.MainActivity"
OUTPUT = "runs.jsonl"
MARK = "edgebundle-farm.txt"  # in a folder that we wrote: it may be replaced

# farm -> module with make_files(job) -> {name: text}
FARMS: dict[str, str] = {"aws": "harness.farm.aws", "firebase": "harness.farm.firebase"}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be measured: the app's file name and id, how many variants it carries, the protocol's name and a limit in minutes."""

    app: str
    application_id: str
    variants: int
    protocol: str
    minutes: int

    @property
    def results_folder(self) -> str:
        """Where the app writes on the phone (its external files directory, which the shell may read)."""
        return f"/sdcard/Android/data/{self.application_id}/files"


def write_job(apk: Path, farm: str, protocol: str, minutes: int, target: Path) -> tuple[str, ...]:
    """Write the folder that a farm's own command-line tool needs; the names of its files. Raises UsageError.

    A folder that holds anything we did not write is refused; one of ours is replaced as a whole.
    """
    if not 1 <= minutes <= 150:
        raise UsageError(f"--minutes {minutes} is not possible: the farms measure 1 to 150 minutes on a device.")
    try:
        with open_bundle(apk) as bundle:
            variants = len(bundle.manifest.variants)
    except BundleError as error:
        raise UsageError(str(error)) from error
    job = Job(
        app=apk.name, application_id=read_application_id(apk), variants=variants, protocol=protocol, minutes=minutes
    )
    files = cast(Callable[[Job], dict[str, str]], importlib.import_module(FARMS[farm]).make_files)(job)
    if target.exists() and not (target / MARK).is_file():
        raise UsageError(f"{target} exists and was not written by this command; choose another place with -o.")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            shutil.copyfile(apk, folder / apk.name)
            for name, text in {**files, MARK: "Written by 'harness farm'; replaced as a whole.\n"}.items():
                (folder / name).write_text(text, encoding="utf-8")
                if name.endswith(".sh"):
                    (folder / name).chmod(0o755)
            folder.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            os.replace(folder, target)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror}); choose another place with -o.") from error
    return (apk.name, *files)
