"""`builder studio`: a local page with a conversion beside its pictures. It is a view: all it shows comes from the pipeline."""
