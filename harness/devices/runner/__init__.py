"""The benchmark programs of mobile/runner: built, pushed, their results read."""
