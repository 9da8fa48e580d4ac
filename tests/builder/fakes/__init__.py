"""A fake backend, delegate, rewrite and target: what somebody who adds one writes, and nothing else. `grown.py` plants them."""
