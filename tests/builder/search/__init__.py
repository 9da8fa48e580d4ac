"""Tests of the search for plans."""
