"""Tests of precision: ranges, corrections."""
