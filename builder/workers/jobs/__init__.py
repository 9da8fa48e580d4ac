"""What a worker does: one file a job."""
