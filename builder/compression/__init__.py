"""Smaller networks that still look right: stages that take a trained network and leave a smaller one, run by a worker."""
