"""Pages of docs/reference, generated from the models, the parsers and the public functions."""
