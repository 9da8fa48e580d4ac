"""Write docs/formats/vectors: run it after a change of what the vectors say, and look at the difference."""

from __future__ import annotations

from scripts.vectors.files import FOLDER, make_texts

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in make_texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"{FOLDER.name}/{name}  {len(text):,} B")
