"""Signatures of APKs and app bundles: written and checked."""
