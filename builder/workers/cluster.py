"""Trials on the workers of a Dask cluster, each in a process of its own there, with the limits of `[limits]`.

A worker needs edgebundle in the same version and nothing else: the source model and the samples travel to it once and are
kept by content. A trial whose worker dies is run again by another one, which is what Dask's scheduler does.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from types import TracebackType
from typing import Any, Self

from builder import errors
from builder.errors import ConfigError, ConversionError, Interrupted, MissingToolError
from builder.project.config import LimitsSection
from builder.storage.cache import hash_code, keep_entry
from builder.workers.messages import JOB, RESULT, AnyJob, Job, VariantJob
from builder.workers.supervisor import run_job

# A scheduler in the same network answers within seconds. Between two looks Ctrl-C is heard.
CONNECT_S, POLL_S = 20.0, 0.5
# Of a trial whose files are lost with a worker.
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A job whose paths are those of `files` below one directory, and the files' content key."""

    job: str
    files: str
    code: str
    what: str
    limits: LimitsSection


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The files that the job left, zipped, or the class and the sentence of its error."""

    content: bytes | None
    kind: str = ""
    message: str = ""


class Cluster:
    """`run` does what `supervisor.run_job` does, on a worker of the cluster at `address`."""

    def __init__(self, address: str) -> None:
        """Raises MissingToolError without the extra, ConfigError where nobody answers."""
        try:
            from distributed import Client
        except ImportError as error:
            raise MissingToolError(
                "Dask is not installed, which --cluster needs: pip install 'edgebundle[cluster]'."
            ) from error
        try:
            self._client: Any = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no Dask scheduler answers at {address!r} ({error}); start one or correct --cluster."
            ) from error
        self.size = sum(self._client.nthreads().values())
        if not self.size:
            self._client.close()
            raise ConfigError(
                f"the Dask scheduler at {address!r} has no workers; start some with 'dask worker {address}'."
            )
        self._guard = Lock()
        self._sent: dict[str, Any] = {}

    def run(
        self,
        job: AnyJob,
        folder: Path,
        *,
        what: str,
        limits: LimitsSection,
        on_stage: Callable[[str], None],
        stop: Event | None = None,
    ) -> str:
        """Text of the job's result. Raises what the worker raised, ConversionError, Interrupted."""
        if not isinstance(job, VariantJob):
            return run_job(job, folder, what=what, limits=limits, on_stage=on_stage, stop=stop)
        moved, places = _movable(job)
        text, code = Job(job=moved).model_dump_json(), _code()
        on_stage("on the cluster")
        answer: Answer | None = None
        for _ in range(TRIES):
            key, files = self._files(places)
            sent = Sent(job=text, files=key, code=code, what=what, limits=limits)
            answer = self._wait(self._client.submit(work, sent, files, pure=False), what, stop)
            if answer is not None:
                break
            self._forget(places)
        if answer is None:
            raise ConversionError(
                f"{what} was lost with its worker {TRIES} times; look at the cluster and start the search again."
            )
        if answer.content is None:
            raise getattr(errors, answer.kind)(answer.message)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            archive.extractall(folder)
        return (folder / RESULT).read_text(encoding="utf-8")

    def _wait(self, future: Any, what: str, stop: Event | None) -> Answer | None:
        """The answer, or None where the files that it needs went with the last worker that held them."""
        from distributed import KilledWorker, TimeoutError
        from distributed.client import FutureCancelledError

        while True:
            if stop is not None and stop.is_set():
                future.cancel()
                raise Interrupted(f"{what} was stopped.")
            try:
                answer: Answer = future.result(timeout=POLL_S)
                return answer
            except TimeoutError:
                continue
            except KilledWorker as error:
                raise ConversionError(f"{what} ended every worker of the cluster that tried it ({error}).") from error
            except FutureCancelledError:
                return None
            except OSError as error:
                raise ConversionError(
                    f"{what} was lost with the cluster's scheduler ({error}); start the search again."
                ) from error

    def _files(self, places: Mapping[str, Path]) -> tuple[str, Any]:
        """The content key of files by their places, and where the cluster holds them: each set is sent once."""
        with self._guard:
            name = _name(places)
            if name not in self._sent:
                content = {place: path.read_bytes() for place, path in sorted(places.items())}
                digest = hashlib.sha256()
                for place, data in content.items():
                    digest.update(f"{place}\0{len(data)}\0".encode() + data)
                self._sent[name] = (digest.hexdigest()[:32], self._client.scatter(content, broadcast=True, hash=False))
            files: tuple[str, Any] = self._sent[name]
            return files

    def _forget(self, places: Mapping[str, Path]) -> None:
        """The next job sends the files again."""
        with self._guard:
            self._sent.pop(_name(places), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()


def _name(places: Mapping[str, Path]) -> str:
    return "\n".join(f"{place}={path}" for place, path in sorted(places.items()))


def _movable(job: VariantJob) -> tuple[VariantJob, dict[str, Path]]:
    """The job with paths relative to one directory, and which file comes where in it."""
    places = {f"source/{p.relative_to(job.source).as_posix()}": p for p in sorted(job.source.rglob("*")) if p.is_file()}
    sets: dict[str, tuple[Path, ...]] = {}
    for name, files in (("calibration", job.calibration), ("evaluation", job.evaluation)):
        sets[name] = tuple(Path(name) / f"{number:05d}{path.suffix}" for number, path in enumerate(files))
        places |= {place.as_posix(): path for place, path in zip(sets[name], files, strict=True)}
    perceptual = job.perceptual
    if perceptual is not None and perceptual.lpips is not None:
        place = Path(f"lpips{perceptual.lpips.suffix}")
        places[place.as_posix()] = perceptual.lpips
        perceptual = perceptual.model_copy(update={"lpips": place})
    moved = job.model_copy(update={"source": Path("source"), "perceptual": perceptual, **sets})
    return moved, places


def _code() -> str:
    return hash_code(Path(__file__).resolve().parents[1])


def work(sent: Sent, files: Mapping[str, bytes]) -> Answer:
    """What a Dask worker does: one job in a process of its own. Errors are answers, so that Dask does not try them again."""
    try:
        if sent.code != _code():
            raise ConversionError(
                "a worker of the cluster has another edgebundle than this machine; install the same version."
            )
        root = _unpack(sent.files, files)
        job = Job.model_validate_json(sent.job).job
        if not isinstance(job, VariantJob):
            raise ConversionError("the cluster was sent something that is no trial; report this.")
        moved: dict[str, Any] = {
            "source": root / job.source,
            "calibration": tuple(root / path for path in job.calibration),
            "evaluation": tuple(root / path for path in job.evaluation),
        }
        if job.perceptual is not None and job.perceptual.lpips is not None:
            moved["perceptual"] = job.perceptual.model_copy(update={"lpips": root / job.perceptual.lpips})
        with tempfile.TemporaryDirectory(prefix="edgebundle-cluster-") as name:
            folder = Path(name)
            text = run_job(
                job.model_copy(update=moved), folder, what=sent.what, limits=sent.limits, on_stage=lambda text: None
            )
            (folder / RESULT).write_text(text, encoding="utf-8")
            return Answer(content=_zip_folder(folder))
    except errors.EdgebundleError as error:
        return Answer(content=None, kind=type(error).__name__, message=str(error))


def _unpack(key: str, files: Mapping[str, bytes]) -> Path:
    def write(work: Path) -> None:
        for place, data in files.items():
            (work / place).parent.mkdir(parents=True, exist_ok=True)
            (work / place).write_bytes(data)

    return keep_entry("cluster", key, write)[0]


def _zip_folder(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != JOB:
                archive.write(path, path.relative_to(folder).as_posix())
    return content.getvalue()
