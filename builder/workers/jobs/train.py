"""The train job: a recipe carried out in a process of its own, or in one of several that train together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builder.bundle import TensorSpec
from builder.workers.jobs.folder import stage
from builder.workers.messages import TrainJob, TrainResult

WEIGHTS = "weights.safetensors"


def run_train(job: TrainJob, folder: Path) -> TrainResult:
    from safetensors.torch import save_file

    from builder.sources import make_specs
    from builder.training.run import Task, count_threads, run
    from builder.training.team import join_team

    stage(folder, "load")
    section = job.config.train
    assert section is not None
    picture = job.config.input[0].shape
    inputs, outputs = make_specs(job.config, job.folder, tuple(picture for _ in job.config.output))
    with join_team(section.batch) as team:
        task = Task(
            config=job.config,
            section=section,
            folder=job.folder,
            specs=(inputs[0], outputs[0]),
            files=job.files,
            styles=job.styles,
            state=job.state,
            tell=lambda text: stage(folder, text),
            team=team,
        )
        trained = run(task)
    tensors = {name: value.detach().clone().contiguous() for name, value in trained.network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    _show(trained.network, job, (inputs, outputs[0]), folder)
    return TrainResult(
        parameters=sum(parameter.numel() for parameter in trained.network.parameters()),
        threads=count_threads(),
        steps=trained.done.steps,
        seconds=round(trained.done.seconds, 1),
        losses=trained.done.losses,
        looks=trained.done.looks,
        terms=trained.terms,
    )


def _show(network: Any, job: TrainJob, specs: tuple[tuple[TensorSpec, ...], TensorSpec], folder: Path) -> None:
    """What the network makes of the evaluation samples, which no step saw: `pictures/NNNN-before.png` and `-after.png`."""
    import torch

    from builder.bundle.tensors import make_pixels, write_picture
    from builder.graph.samples import read_sample
    from builder.training.network import call

    inputs, output = specs
    (folder / "pictures").mkdir()
    for number, path in enumerate(job.evaluation):
        sample = read_sample(path, inputs)
        with torch.no_grad():
            made = call(network, *(torch.from_numpy(sample[spec.name]) for spec in inputs))[0]
        shown = {"before": (sample[inputs[0].name], inputs[0]), "after": (made.numpy(), output)}
        for name, (values, spec) in shown.items():
            write_picture(folder / "pictures" / f"{number:04d}-{name}.png", make_pixels(values, spec))
