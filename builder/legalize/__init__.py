"""Graph rewrites on the exported program, one a file, each proven equal on the user's own model before it is accepted.

A delegate names those that it needs (`LEGALIZE` of a backend). A new rewrite is one file and one line here.
"""

from __future__ import annotations

from builder.legalize.rewrites import (
    activations,
    attention,
    constant_folding,
    convolutions,
    grid_sampling,
    group_norm,
    half_range,
    instance_norm,
    layer_norm,
    memory_layout,
    mutations,
    nearest_rows,
    nearest_upsampling,
    padding_merge,
    pixel_shuffle,
    pooling,
    products,
    reductions,
    reflection_padding,
    replication_padding,
    scalars,
    selected_filters,
    single_values,
    softmax,
    splits,
    transposed_convolution,
    transposed_forms,
    volume_sampling,
)
from builder.legalize.rewriting import Rewrite

REWRITES: dict[str, Rewrite] = {
    "memory_layout": memory_layout,
    "mutations": mutations,
    "convolutions": convolutions,
    "products": products,
    "pooling": pooling,
    "transposed_forms": transposed_forms,
    "volume_sampling": volume_sampling,
    "grid_sampling": grid_sampling,
    "scalars": scalars,
    "padding_merge": padding_merge,
    "reflection_padding": reflection_padding,
    "replication_padding": replication_padding,
    "half_range": half_range,
    "instance_norm": instance_norm,
    "group_norm": group_norm,
    "layer_norm": layer_norm,
    "reductions": reductions,
    "splits": splits,
    "nearest_upsampling": nearest_upsampling,
    "nearest_rows": nearest_rows,
    "attention": attention,
    "softmax": softmax,
    "activations": activations,
    "transposed_convolution": transposed_convolution,
    "pixel_shuffle": pixel_shuffle,
    "single_values": single_values,
    "constant_folding": constant_folding,
    "selected_filters": selected_filters,
}
