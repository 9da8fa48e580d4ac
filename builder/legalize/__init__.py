"""Graph rewrites on the exported program, one per file, each proven equal before it is accepted."""
