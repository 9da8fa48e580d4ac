"""The models of a bundle, looked into before they are packed: an app that is installed shows none of this."""

from __future__ import annotations

import warnings

from builder.backends.coreml.check import check_package
from builder.bundle import Bundle
from builder.cache import versions
from builder.errors import MissingToolError, VerificationError


def check_models(bundle: Bundle) -> None:
    """Every Core ML file of the bundle: files, program, ops of its system, borders as the manifest says.

    Raises VerificationError, InputError, and MissingToolError where coremltools is not installed.
    """
    models = [variant for variant in bundle.manifest.variants if variant.backend == "coreml"]
    if models and versions(("coremltools",))["coremltools"] == "missing":
        raise MissingToolError(
            "Core ML files are checked before they are packed, which needs coremltools: pip install 'edgebundle[coreml]'."
        )
    specs = (*bundle.manifest.inputs, *bundle.manifest.outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coremltools' own, about the age of what it imports
        for variant in models:
            try:
                check_package(bundle.path(variant.file), variant.inputs, variant.outputs, specs)
            except VerificationError as error:
                raise VerificationError(f"variant {variant.id!r}: {error}") from error
