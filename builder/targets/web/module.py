"""The npm package `@edgebundle/web`: `ImageModel` for any page. It carries no bundle; the same sources give the same bytes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from builder.errors import ConversionError
from builder.targets.web import node

# npm packs a folder within seconds: what takes minutes hangs.
PACK_S = 120.0
FILES = ("package.json", "index.d.ts", "README.md")


def pack_module(built: Path, sources: Path, out: Path) -> Path:
    """The `.tgz` that `npm install` takes, in `out`. Raises MissingToolError, ConversionError."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-npm-") as name:
        folder = Path(name)
        for own in FILES:
            shutil.copyfile(sources / own, folder / own)
        for file in (built / "module").iterdir():
            shutil.copyfile(file, folder / file.name)
        shutil.copytree(built / "files" / "runtime", folder / "runtime")
        shutil.copyfile(built / "files" / "NOTICES.txt", folder / "NOTICES.txt")
        words: list[str | Path] = ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", out]
        node.run("npm", words, what="pack the npm package", cwd=folder, timeout_s=PACK_S)
    packed = list(out.glob("*.tgz"))
    if len(packed) != 1:
        raise ConversionError(
            f"npm pack wrote {len(packed)} packages instead of one; try it with 'npm pack' of npm 10 or newer."
        )
    return packed[0]
