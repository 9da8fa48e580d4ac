"""One file a rewrite, each proven on the user's own model."""
