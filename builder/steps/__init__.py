"""One cached step each: its key, its job, its result."""
