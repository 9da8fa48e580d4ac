"""A Core ML file with an operation that the interpreter lacks is written all the same, unproven, with the operation's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from builder.backends.coreml.ops import OPS
from builder.bundle import Golden, GoldenOutputs, Variant, count_tree_bytes, hash_tree
from builder.errors import VerificationError
from builder.project.config import LimitsSection
from builder.project.project import open_project
from builder.steps.bundle import VARIANT_FIELDS
from builder.steps.listener import Silent
from builder.steps.source import SourceStep
from builder.steps.step import Working
from builder.steps.variant import lower_variant, make_variant_step, plan_variant
from builder.workers.jobs.source import run_source
from builder.workers.jobs.variant import run_variant
from builder.workers.jobs.verify import run_verify
from builder.workers.messages import RESULT, SourceJob, VariantJob, VerifyJob
from tests.builder.projects import make_project

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own

COREML = '[[variant]]\nbackend = "coreml"\ndelegate = "all"\nscheme = "fp16"\n'


def test_the_file_is_written_and_says_what_could_not_be_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No figure is made up; the goldens are the source model's; `verify` repeats the reason, and `require_proven` ends with 5."""
    folder = make_project(tmp_path / "project")
    text = (folder / "builder.toml").read_text(encoding="utf-8")
    (folder / "builder.toml").write_text(text[: text.index("[[variant]]")] + COREML, encoding="utf-8")
    project = open_project(folder)
    (tmp_path / "source").mkdir()
    files = tuple(file.path for file in project.data.evaluation)
    made = run_source(SourceJob(config=project.config, folder=folder, evaluation=files, goldens=1), tmp_path / "source")
    (tmp_path / "source" / RESULT).write_text(made.model_dump_json(), encoding="utf-8")
    source = SourceStep(folder=tmp_path / "source", key=str(tmp_path), result=made)
    section = project.config.variant[0]
    plan = plan_variant(project, source, section)
    job = make_variant_step(project, source, section, plan).job
    assert isinstance(job, VariantJob)

    monkeypatch.delitem(OPS, "sigmoid")
    work = tmp_path / "variant"
    work.mkdir()
    result = run_variant(job, work)
    assert result.unproven == "the interpreter of Core ML files has no 'sigmoid'; check this variant on a Mac."
    assert (result.quality.images, result.quality.psnr_db_worst, result.quality.worst_text) == (0, None, "-")
    assert {row.realised for row in result.layers} == {"fp16"}
    golden = work / result.golden_outputs[0][0].file
    assert golden.read_bytes() == (tmp_path / "source" / made.golden_references[0][0].file).read_bytes()

    fields = {name: getattr(result, name) for name in VARIANT_FIELDS}
    artifact = work / result.artifact
    variant = Variant(
        id="coreml", backend="coreml", delegate="all", file=artifact.name, bytes=count_tree_bytes(artifact),
        sha256=hash_tree(artifact), **fields,
    )  # fmt: skip
    expected = GoldenOutputs(variant="coreml", tensors=result.golden_outputs[0], min_psnr_db=40.0)
    for tensor in made.golden_inputs[0]:
        (work / tensor.file).write_bytes((tmp_path / "source" / tensor.file).read_bytes())
    again = Golden(id="0", inputs=made.golden_inputs[0], reference=(), expected=(expected,))
    checked = run_verify(
        VerifyJob(root=work, variant=variant, golden=again, inputs=made.inputs, outputs=made.outputs), tmp_path
    )
    assert (checked.psnr_db, checked.unproven) == (None, result.unproven)

    def given(
        asked: VariantJob,
        place: Path,
        *,
        what: str,
        limits: LimitsSection,
        on_stage: object,
        stop: Event | None = None,
    ) -> str:
        (place / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
        return ""

    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    proven = section.model_copy(update={"require_proven": True})
    working = Working(listener=Silent(), run=given)  # type: ignore[arg-type]
    with pytest.raises(
        VerificationError, match=r"require_proven = true but stays unproven here: .* no 'sigmoid'"
    ) as raised:
        lower_variant(project, replace(source, key="other"), proven, plan, working)
    assert raised.value.exit_code == 5
