"""Each everyday network is brought to plain operators: the same numbers, and every weight a layer."""

from __future__ import annotations

import pytest
import torch

from builder.graph.equality import compute_outputs, measure_largest_change
from builder.legalize.at_source import in_float32, make_plain
from builder.precision.layers import list_layers
from tests.everyday.networks import ALL, NETWORKS, SHAPE, create

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, from within export

# What no program may hold any more once it is plain: some backend has not got it, or makes something else of it.
GONE = (
    "adaptive_max", "max.dim", "min.dim", "conv1d", "conv3d", "_scatter", "aten.copy.", "copy_", "weight_norm", "vdot", "einsum", "gru_cell", "subtract",
    "multiply", "aten.lift_fresh", "affine_grid", "_.Tensor", "_.default", "grid_sampler_3d",
    "bucketize", "one_hot", "index_put", "index_add", "erfc", "hypot", "cosine_similarity", "log_sigmoid", "logaddexp", "quantile", "kthvalue",
    "median", "nan_to_num", "prod.dim_int", "round.decimals",
)  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), ALL, ids=[f"{kind}-{name}" for kind, name in ALL])
def test_it_is_the_same_in_plain_operators(kind: str, name: str) -> None:
    network = create(kind, name)
    sample = (torch.rand(SHAPE, generator=torch.Generator().manual_seed(3)),)
    with torch.no_grad():
        wanted = network(sample[0].clone())
    program = in_float32(make_plain(torch.export.export(network, sample)))
    assert measure_largest_change([wanted], compute_outputs(program, sample)) < 1e-5
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert not [target for target in targets if any(part in target for part in GONE)]
    weighted = [t for t in targets if any(part in t for part in (".conv2d.", ".conv_transpose2d.", ".linear."))]
    assert len(weighted) == sum(layer.uses for layer in list_layers(program).layers)


def test_a_computed_weight_has_its_layers_plain_name() -> None:
    """The name that rules speak of is the module's, whatever computes the weight."""
    sample = (torch.rand(SHAPE),)
    for name in NETWORKS["weights"]:
        table = list_layers(make_plain(torch.export.export(create("weights", name), sample)))
        assert table.names() == ["head", "middle", "tail"]
