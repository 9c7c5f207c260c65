"""What containers ask for by variables and labels: text that whoever starts a container chose, so hostile until it is parsed."""

from skep_nginx.wishes.read import read_wish
from skep_nginx.wishes.wish import Method, PathWish, SiteWish, TlsWish, Wish

__all__ = ["Method", "PathWish", "SiteWish", "TlsWish", "Wish", "read_wish"]
