"""One worker process: does one job of `jobs.py` in its directory and leaves a result or a typed failure there.

    python -m builder.workers.worker DIRECTORY

Where processes can be forked it is one of a server that has imported the converter (`forkserver.py`). A converter that crashes takes only this process with it; what it prints goes to the supervisor's log.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from pathlib import Path

from builder.errors import EdgebundleError
from builder.workers.jobs.compress import run_compress
from builder.workers.jobs.export import run_export
from builder.workers.jobs.judge import run_judge
from builder.workers.jobs.pictures import run_pictures
from builder.workers.jobs.probe import run_probe
from builder.workers.jobs.sensitivity import run_sensitivity
from builder.workers.jobs.source import run_source
from builder.workers.jobs.variant import run_variant
from builder.workers.jobs.verify import run_verify
from builder.workers.messages import (
    FAILURE,
    JOB,
    RESULT,
    CompressJob,
    CompressResult,
    ExportJob,
    ExportResult,
    Failure,
    Job,
    JudgeJob,
    JudgeResult,
    PicturesJob,
    PicturesResult,
    ProbeJob,
    ProbeResult,
    SensitivityJob,
    SensitivityResult,
    SourceJob,
    SourceResult,
    VariantJob,
    VariantResult,
    VerifyResult,
)


def main(folder: Path) -> int:
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    warnings.simplefilter("ignore")  # the converters' own; they would bury the lines that matter
    return work(folder)


def work(folder: Path) -> int:
    job = Job.model_validate_json((folder / JOB).read_text(encoding="utf-8")).job
    try:
        result: (
            SourceResult
            | VariantResult
            | VerifyResult
            | ExportResult
            | SensitivityResult
            | PicturesResult
            | ProbeResult
            | CompressResult
            | JudgeResult
        )
        if isinstance(job, SourceJob):
            result = run_source(job, folder)
        elif isinstance(job, VariantJob):
            result = run_variant(job, folder)
        elif isinstance(job, ExportJob):
            result = run_export(job, folder)
        elif isinstance(job, PicturesJob):
            result = run_pictures(job, folder)
        elif isinstance(job, ProbeJob):
            result = run_probe(job, folder)
        elif isinstance(job, SensitivityJob):
            result = run_sensitivity(job, folder)
        elif isinstance(job, CompressJob):
            result = run_compress(job, folder)
        elif isinstance(job, JudgeJob):
            result = run_judge(job, folder)
        else:
            result = run_verify(job, folder)
    except EdgebundleError as error:
        failure = Failure(kind=type(error).__name__, message=str(error))
        (folder / FAILURE).write_text(failure.model_dump_json(), encoding="utf-8")
        return 1
    (folder / RESULT).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    return 0


def end_with_parent(parent: int) -> None:
    """A worker whose builder was killed has nobody to work for."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
