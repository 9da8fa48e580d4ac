"""The same bundle behind HTTP, for phones that can run no variant: `python -m edgebundle_server`."""
