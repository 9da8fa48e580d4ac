"""One form for Kotlin, Swift and C++: lines to 120, four columns of indent. `python -m scripts.formatting` writes it."""
