"""Certificates: the operator's files and the authority's, read, found by name, and laid out for nginx."""
