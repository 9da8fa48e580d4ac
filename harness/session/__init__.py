"""One measurement session: variants in turn, rounds, conditions."""
