"""Format Kotlin, Swift and C++, or with `--check` name the files that are not formatted (exit 1).

    python -m scripts.formatting [--check] [kotlin] [swift] [cpp]

Kotlin by ktfmt (Maven Central, scripts/formatting/pom.xml), C++ by clang-format (PyPI, constraints.txt), Swift by the swift-format of
the toolchain that scripts/swift.sh makes. Where there is no Swift yet, a check of all languages says so and goes on; asked for by
name, it is made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from builder.errors import MissingToolError
from scripts.formatting.languages import Formatted, format_cpp, format_kotlin, format_swift

LANGUAGES: dict[str, Callable[[], Formatted | None]] = {
    "kotlin": format_kotlin,
    "swift": format_swift,
    "cpp": format_cpp,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.formatting")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a file is not formatted")
    parser.add_argument("language", nargs="*", choices=[*LANGUAGES, []], help="default: all")
    given = parser.parse_args()
    wrong = 0
    for name in given.language or LANGUAGES:
        try:
            formatted = LANGUAGES[name]()
        except MissingToolError as error:
            print(f"formatting: error: {error}", file=sys.stderr)
            return error.exit_code
        if formatted is None and given.language:
            print("formatting: error: there is no Swift here: run 'scripts/swift.sh prepare'.", file=sys.stderr)
            return MissingToolError.exit_code
        if formatted is None:
            print("formatting: Swift is not checked: 'scripts/swift.sh prepare' makes its toolchain.", file=sys.stderr)
            continue
        for path, text in formatted.items():
            if path.read_text(encoding="utf-8") != text:
                wrong += 1
                print(path)
                if not given.check:
                    path.write_text(text, encoding="utf-8")
    if wrong and given.check:
        print(f"formatting: {wrong} files are not formatted: run 'make format'.", file=sys.stderr)
    return int(bool(wrong) and given.check)


if __name__ == "__main__":
    sys.exit(main())
