"""Checks of the repository itself, beyond style and types."""
