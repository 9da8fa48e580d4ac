"""Makes the stand-in for Android's C library that the x86_64 libraries of a package need: their symbols, in glibc's hands.

An Android library asks for `malloc` of version LIBC; glibc has none of that version. So a `libc.so` is compiled that defines every
symbol they ask for: a jump to glibc's, or one of the few of `bionic.c` that mean something else. The libraries stay as they are.
"""

from __future__ import annotations

import ctypes
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder import process
from builder.bundle import hash_file
from builder.errors import MissingToolError
from builder.storage.cache import hold_lock, locate, make_content_key, publishing

# One small C file, and nm of a large library: what takes minutes hangs.
COMPILE_LIMIT_S = 120.0
_HERE = Path(__file__).parent
_OURS = re.compile(r"^\S.*\bbionic_(\w+)(?:\(|\[)", re.MULTILINE)
_GLIBC = ("libc.so.6", "libm.so.6", "libgcc_s.so.1")
# Libraries that only hand on to those of this system.
_GRAPHICS = {"libEGL.so": "libEGL.so.1", "libGLESv2.so": "libGLESv2.so.2", "libGLESv3.so": "libGLESv2.so.2"}
GRAPHICS_COMMAND = "apt-get install --no-install-recommends libegl1 libgles2 libgl1-mesa-dri"
COMPILER_COMMAND = "apt-get install --no-install-recommends g++"


class Lacking(Exception):
    """Symbols that a library needs and neither glibc nor the stand-in has."""


@dataclass(frozen=True, kw_only=True, order=True)
class Wanted:
    """An undefined symbol; `version` is empty for one of the log's or of the graphics'."""

    name: str
    version: str


def build_shim(libraries: Sequence[Path]) -> Path:
    """The folder to put on LD_LIBRARY_PATH, kept by content. Raises MissingToolError, Lacking."""
    if process.find("gcc") is None or process.find("nm") is None:
        raise MissingToolError(
            f"running a package's libraries needs gcc, not found on PATH; install with '{COMPILER_COMMAND}'."
        )
    wanted = sorted({symbol for library in libraries for symbol in read_wanted(library)})
    versioned = [symbol for symbol in wanted if symbol.version]
    ours = set(_OURS.findall((_HERE / "bionic.c").read_text(encoding="utf-8")))
    lacking = sorted({symbol.name for symbol in versioned if symbol.name not in ours and not _in_glibc(symbol.name)})
    if lacking:
        raise Lacking(", ".join(lacking))
    graphics = any(symbol.name.startswith(("egl", "gl")) for symbol in wanted if not symbol.version)
    sources = [hash_file(_HERE / name) for name in ("bionic.c", "liblog.c", "shim.py")]
    key = make_content_key([[f"{symbol.name}@{symbol.version}" for symbol in versioned], graphics, sources])
    with hold_lock(f"android-shim {key}"):
        if not locate("android-shim", key).is_dir():
            with publishing("android-shim", key) as work:
                _compile(versioned, ours, graphics, work)
    return locate("android-shim", key)


def read_wanted(library: Path) -> set[Wanted]:
    """Symbols that must be there before the library can be loaded; weak ones need not."""
    done = process.run(["nm", "-D", "-u", "--with-symbol-versions", library], timeout_s=COMPILE_LIMIT_S)
    symbols = set()
    for line in done.stdout.splitlines():
        kind, _, symbol = line.strip().partition(" ")
        name, _, version = symbol.partition("@")
        if kind == "U":
            symbols.add(Wanted(name=name, version=version.lstrip("@")))
    return symbols


def _in_glibc(name: str) -> bool:
    return any(hasattr(ctypes.CDLL(library), name) for library in _GLIBC)


def _compile(versioned: Sequence[Wanted], ours: set[str], graphics: bool, work: Path) -> None:
    versions = sorted({symbol.version for symbol in versioned}) or ["LIBC"]
    marks = "".join(f"void edgebundle_{version}(void) {{}}\n" for version in versions)
    script = work / "versions"
    script.write_text("".join(f"{v} {{ global: edgebundle_{v}; }};\n" for v in versions), encoding="utf-8")
    source = (_HERE / "bionic.c").read_text(encoding="utf-8") + _trampolines(versioned, ours) + marks
    _link(work, "libc.so", source, [f"-Wl,--version-script={script}", "-lm", "-lgcc_s"])
    for name in ("libm.so", "libdl.so"):
        _link(work, name, marks, [f"-Wl,--version-script={script}"])
    _link(work, "liblog.so", (_HERE / "liblog.c").read_text(encoding="utf-8"), [])
    _link(work, "libandroid.so", "", [])
    for name, real in _GRAPHICS.items() if graphics else ():
        _link(work, name, "", ["-Wl,--no-as-needed", f"-l:{real}"])
    for file in (*work.glob("*.c"), script):
        file.unlink()


def _trampolines(versioned: Sequence[Wanted], ours: set[str]) -> str:
    """A definition of every symbol in its version: ours under its name there, else a jump through a slot that is filled at start."""
    lines, filled = ["\n"], []
    for number, symbol in enumerate(versioned):
        if symbol.name in ours:
            lines.append(f'__asm__(".symver bionic_{symbol.name},{symbol.name}@{symbol.version}");\n')
            continue
        lines.append(
            f'void *slot_{number} __attribute__((visibility("hidden")));\n'
            f'__asm__(".text\\n.globl jump_{number}\\n.type jump_{number},@function\\njump_{number}: jmp *slot_{number}(%rip)\\n'
            f'.symver jump_{number},{symbol.name}@{symbol.version}\\n");\n'
        )
        filled.append(f'    slot_{number} = find(handles, "{symbol.name}");\n')
    opened = ", ".join(f'dlopen("{name}", RTLD_NOW)' for name in _GLIBC)
    return (
        "".join(lines)
        + "static void *find(void **handles, const char *name)\n{\n    void *found = NULL;\n"
        + f"    for (int i = 0; !found && i < {len(_GLIBC)}; i++) found = dlsym(handles[i], name);\n    return found;\n}}\n"
        + "__attribute__((constructor(101))) static void fill(void)\n{\n"
        + f"    void *handles[] = {{{opened}}};\n{''.join(filled)}}}\n"
    )


def _link(work: Path, name: str, source: str, options: Sequence[str]) -> None:
    file = work / f"{name}.c"
    file.write_text(source, encoding="utf-8")
    command: list[str | Path] = [
        "gcc",
        "-shared",
        "-fPIC",
        "-O1",
        "-w",
        "-o",
        work / name,
        file,
        f"-Wl,-soname,{name}",
        *options,
    ]
    done = process.run(command, timeout_s=COMPILE_LIMIT_S, check=False)
    if done.returncode and name in _GRAPHICS:
        raise MissingToolError(f"OpenGL ES of this system is not there; install with '{GRAPHICS_COMMAND}'.")
    if done.returncode:
        shutil.rmtree(work, ignore_errors=True)
        raise MissingToolError(
            f"gcc does not make {name}: {done.quote_last_lines(3)}; install with '{COMPILER_COMMAND}'."
        )
