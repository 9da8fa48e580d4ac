"""Named tensors, as the stages hand them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.generic]]  # in the logical layout, by the names in builder.toml


def in_list(result: Any) -> list[Any]:
    """What a module or an operator gives, one tensor or several, as a list."""
    return list(result) if isinstance(result, tuple | list) else [result]
