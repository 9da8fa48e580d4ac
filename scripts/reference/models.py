"""The page of one file format, key by key, from the JSON Schema of its model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from scripts.schemas import make_schema

Schema = dict[str, Any]


def write_model_page(title: str, intro: str, model: type[BaseModel], tables: dict[str, str]) -> str:
    """Markdown of a format; `tables` gives each model's name its heading, in the order of the page."""
    schema = make_schema(model)
    models: dict[str, Schema] = schema.get("$defs", {}) | {model.__name__: schema}
    left = [name for name, shape in models.items() if "properties" in shape and name not in tables]
    if left:
        raise ValueError(
            f"the page {title!r} shows no table for {', '.join(left)}; add it to scripts/reference/pages.py"
        )
    parts = [f"# {title}", intro]
    for name, heading in tables.items():
        parts += [f"## {heading}", _said(models[name]), _table(models[name], tables, models)]
    return "\n\n".join(parts) + "\n"


def _said(schema: Schema) -> str:
    """The model's docstring; line breaks inside a paragraph go."""
    return "\n\n".join(" ".join(part.split()) for part in schema.get("description", "").split("\n\n"))


def _table(schema: Schema, tables: dict[str, str], models: dict[str, Schema]) -> str:
    required = schema.get("required", ())
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for key, shape in schema["properties"].items():
        default = "required" if key in required else _default(shape)
        rows.append(f"| `{key}` | {_type(shape, tables, models)} | {default} | {shape.get('description', '')} |")
    return "\n".join(rows)


def _default(shape: Schema) -> str:
    value = shape.get("default")
    if value is None or isinstance(value, dict):
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "`[]`" if value == [] else f"`{value}`"


def _type(shape: Schema, tables: dict[str, str], models: dict[str, Schema]) -> str:
    """`integer, 8 to 8192`; a model is a link to its table on the same page."""
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[1]
        if name in tables:
            return f"[table](#{_anchor(tables[name])})"
        return _type(models[name], tables, models)
    if "anyOf" in shape:
        kinds = [_type(part, tables, models) for part in shape["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    if "const" in shape:
        return f"`{shape['const']}`"
    if shape.get("type") == "array":
        return _array(shape, tables, models)
    if shape.get("type") == "object":
        values = shape.get("additionalProperties")
        return f"{_type(values, tables, models)} by name" if isinstance(values, dict) else "table"
    return f"{shape.get('type', 'any')}{_bounds(shape)}"


def _array(shape: Schema, tables: dict[str, str], models: dict[str, Schema]) -> str:
    if "prefixItems" in shape:
        kinds = [_type(part, tables, models) for part in shape["prefixItems"]]
        return f"list of {len(kinds)}: {', '.join(dict.fromkeys(kinds))}"
    return f"list of {_type(shape['items'], tables, models)}"


def _bounds(shape: Schema) -> str:
    low, high = shape.get("minimum"), shape.get("maximum")
    above, below = shape.get("exclusiveMinimum"), shape.get("exclusiveMaximum")
    words = []
    if low is not None and high is not None:
        words.append(f"{low:g} to {high:g}")
    elif low is not None:
        words.append(f"at least {low:g}")
    elif high is not None:
        words.append(f"at most {high:g}")
    if above is not None:
        words.append(f"above {above:g}")
    if below is not None:
        words.append(f"below {below:g}")
    if shape.get("minLength"):
        words.append("not empty")
    return f", {', '.join(words)}" if words else ""


def _anchor(heading: str) -> str:
    """As Python-Markdown's `toc` makes it."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return "-".join(kept.split())
