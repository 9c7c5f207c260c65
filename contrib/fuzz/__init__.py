"""Coverage-guided fuzzing of what reads clients' bytes: `python -m contrib.fuzz TARGET`."""
