"""What a variant of builder.toml may say to one backend alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.storage.environments import Environment
from builder.toml_file import Section

if TYPE_CHECKING:
    from builder.precision.plan import ResolvedPlan


@dataclass(frozen=True, kw_only=True)
class OtherConverter:
    """A converter beside the `usual` one, in an environment of its own; a variant asks for it by `key`.

    It is not trusted: no rewrites are made for it, and its fp32 file is compared with the source model.
    """

    environment: Environment
    key: str
    usual: str

    @property
    def name(self) -> str:
        return self.environment.name


class Options(Section):
    """The keys that one backend has in [[variant]]. Each has a default, and a name that no other backend uses.

    A backend's own are a subclass, whose docstring and fields go into the description of builder.toml.
    """

    def form(self) -> str:
        """What the name of a variant tells of them, for example `-images`; nothing where they are as usual."""
        return ""

    def find_other_converter(self) -> OtherConverter | None:
        """The converter that they ask for, where it is not the usual one."""
        return None

    def check(self, plan: ResolvedPlan) -> None:
        """Raises ConfigError for a plan that cannot be made as they ask."""
