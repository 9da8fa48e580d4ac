"""One training loop for all that trains: seeded batches, an objective, states to resume from. It knows tensors, not projects."""
