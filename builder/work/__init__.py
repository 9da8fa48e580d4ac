"""What a worker process does: one file a job, and what all jobs share in `folder.py`."""
