"""Test vectors of the contract that Python, Kotlin and Swift share: what each of them must give, byte for byte.

`python -m scripts.vectors` writes them to docs/formats/vectors. pytest, JUnit and the Swift suite read the same files, and a test
checks that this command writes the same bytes again.
"""
