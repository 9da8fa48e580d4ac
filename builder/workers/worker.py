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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builder.errors import EdgebundleError
from builder.workers.jobs.compress import run_compress
from builder.workers.jobs.export import run_export
from builder.workers.jobs.judge import run_judge
from builder.workers.jobs.pictures import run_pictures
from builder.workers.jobs.probe import run_probe
from builder.workers.jobs.sensitivity import run_sensitivity
from builder.workers.jobs.source import run_source
from builder.workers.jobs.train import run_train
from builder.workers.jobs.variant import run_variant
from builder.workers.jobs.verify import run_verify
from builder.workers.messages import (
    FAILURE,
    JOB,
    RESULT,
    CompressJob,
    ExportJob,
    Failure,
    Job,
    JudgeJob,
    Message,
    PicturesJob,
    ProbeJob,
    SensitivityJob,
    SourceJob,
    TrainJob,
    VariantJob,
    VerifyJob,
)

RUNS: dict[type[Message], Callable[[Any, Path], Message]] = {
    SourceJob: run_source,
    VariantJob: run_variant,
    VerifyJob: run_verify,
    ExportJob: run_export,
    PicturesJob: run_pictures,
    ProbeJob: run_probe,
    SensitivityJob: run_sensitivity,
    CompressJob: run_compress,
    TrainJob: run_train,
    JudgeJob: run_judge,
}


def main(folder: Path) -> int:
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    warnings.simplefilter("ignore")  # the converters' own; they would bury the lines that matter
    return work(folder)


def work(folder: Path) -> int:
    job = Job.model_validate_json((folder / JOB).read_text(encoding="utf-8")).job
    try:
        result = RUNS[type(job)](job, folder)
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
