"""A number that stands at the head of a module has the reason for it above it: whoever changes it knows what it was for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


# A constant without a comment above it that begins as a number does. Most files have none, and need not be parsed.
SUSPECT = re.compile(r"(?m)^(?!# )[^\n]*\n_?[A-Z][A-Z0-9_]*(?:, *[A-Z0-9_]+)*(?:: *\w+)? = [-(\d]")


def is_number(value: ast.expr | None) -> bool:
    """A number, an expression of numbers, or a tuple of them; no flag."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, ast.UnaryOp):
        return is_number(value.operand)
    if isinstance(value, ast.BinOp):
        return is_number(value.left) and is_number(value.right)
    return isinstance(value, ast.Tuple) and bool(value.elts) and all(map(is_number, value.elts))


def find_bare(text: str) -> list[int]:
    """Lines of constants at the head of a module that are numbers and have no comment above them."""
    bare: list[int] = []
    if not SUSPECT.search(f"\n{text}"):
        return bare
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not is_number(node.value):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        constant = all(isinstance(name, ast.Name) and name.id.isupper() for name in names)
        if constant and not lines[node.lineno - 2].startswith("# "):
            bare.append(node.lineno)
    return bare


def test_a_number_has_its_reason_above_it() -> None:
    """Not beside it, where there is no room for a reason."""
    wrong = [
        f"{path.relative_to(ROOT).as_posix()}:{line}"
        for root in ("builder", "harness")
        for path in sorted((ROOT / root).rglob("*.py"))
        for line in find_bare(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_the_rule_sees_a_bare_number() -> None:
    """Alone, as an expression, in a tuple, and with what it is beside it; no flag, no text, no variable."""
    assert find_bare("A = 1\nB = 2.0**-14\n\nC, D = -1, (2, 3)\nE: float = 4.0  # seconds\n") == [1, 2, 4, 5]
    assert (
        find_bare("# Seconds: what takes longer hangs.\nA = 1.0\nON = True\nNAME = 'x'\nlower = 3\nLATER = A + 1\n")
        == []
    )
