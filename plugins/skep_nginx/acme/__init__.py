"""Certificates by ACME (RFC 8555): asked for, proved by HTTP-01, renewed in time, kept."""
