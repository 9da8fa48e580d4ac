"""The bundle: the contract between the builder, the apps and the harness.

A bundle is a directory (or the same as one `.zip`) with `manifest.json`, `variants/`, `golden/` and `plan.toml`.
This package is all that `harness` may import from `builder`.
"""

from builder.bundle.archive import (
    BUNDLE_FOLDER,
    MANIFEST,
    OWNER_FILE,
    Bundle,
    list_bundles,
    name_bundle_folder,
    open_bundle,
    refuse_edited,
)
from builder.bundle.files import count_tree_bytes, hash_file, hash_tree, list_tree
from builder.bundle.manifest import (
    SCHEMA,
    BrowserRanking,
    BrowserWay,
    FailedVariant,
    FileHash,
    FrozenNorms,
    Golden,
    GoldenOutputs,
    GoldenTensor,
    Manifest,
    ModelInfo,
    Phone,
    Ranking,
    SourceAgreement,
    Tool,
    parse_manifest,
)
from builder.bundle.variant import (
    Binding,
    Coverage,
    LayerPrecision,
    Legalization,
    Quality,
    TensorSpec,
    Tiling,
    Variant,
)
from builder.errors import BundleError

__all__ = [
    "BUNDLE_FOLDER",
    "MANIFEST",
    "OWNER_FILE",
    "SCHEMA",
    "Binding",
    "BrowserRanking",
    "BrowserWay",
    "Bundle",
    "BundleError",
    "Coverage",
    "FailedVariant",
    "FileHash",
    "FrozenNorms",
    "Golden",
    "GoldenOutputs",
    "GoldenTensor",
    "LayerPrecision",
    "Legalization",
    "Manifest",
    "ModelInfo",
    "Phone",
    "Quality",
    "Ranking",
    "SourceAgreement",
    "TensorSpec",
    "Tiling",
    "Tool",
    "Variant",
    "count_tree_bytes",
    "hash_file",
    "hash_tree",
    "list_bundles",
    "list_tree",
    "name_bundle_folder",
    "open_bundle",
    "parse_manifest",
    "refuse_edited",
]
