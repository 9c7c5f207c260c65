"""The handlers, a file per subject."""
