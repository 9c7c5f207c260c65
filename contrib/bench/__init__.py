"""Measurements: `python -m contrib.bench` takes those that have a goal, a line each."""
