"""The page of the Python API: signatures and docstrings of the public functions."""

from __future__ import annotations

import inspect
import re
from types import ModuleType


def write_functions_page(title: str, intro: str, modules: tuple[ModuleType, ...]) -> str:
    """Markdown with every public function of the modules, in the order of their `__all__`, behind the example of the module."""
    parts = [f"# {title}", intro]
    for module in modules:
        parts += [f"## {module.__name__}", f"```python\n{find_example(module)}\n```"]
        for name in module.__all__:
            made = getattr(module, name)
            if inspect.isfunction(made):
                parts += [f"### {module.__name__}.{name}", f"```python\n{_signature(module.__name__, made)}\n```"]
                parts.append(inspect.cleandoc(made.__doc__ or ""))
    return "\n\n".join(parts) + "\n"


def find_example(module: ModuleType) -> str:
    """What stands behind `>>>` in its docstring; the formatter leaves a line free below an import."""
    example = "\n".join(re.findall(r"(?m)^ *>>> (.+)$", module.__doc__ or ""))
    return re.sub(r"(?m)^(import \w+)$", r"\1\n", example)


def _signature(module: str, function: object) -> str:
    """One parameter a line; annotations as they are written."""
    shape = inspect.signature(function)  # type: ignore[arg-type]
    lines, only_keywords = [], False
    for parameter in shape.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not only_keywords:
            lines.append("    *,")
            only_keywords = True
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"    {parameter.name}: {parameter.annotation}{default},")
    name = getattr(function, "__name__", "")
    body = "\n" + "\n".join(lines) + "\n" if lines else ""
    return f"{module}.{name}({body}) -> {shape.return_annotation}"
