"""The fake backend, as every room above knows it."""

from __future__ import annotations

from builder.backends.spec import BackendSpec, Delegate, Engine, FirstVariant

SPEC = BackendSpec(
    name="fake",
    title="Fake",
    suffix=".fake",
    delegates=(Delegate(name="slow", traits=("fake",)),),
    packages=("torch", "numpy"),
    schemes=("fp32", "fp16", "weight_only_wi8_afp32"),
    norms=("fp32",),
    server="torch",
    engine=Engine(
        name="Fake", package="torch", imported="torch", module="builder.backends.fake.engine", delegates=("slow",)
    ),
    first_variants=(FirstVariant(comment="Fake phones.", delegate="slow", scheme="fp16"),),
)
