"""What containers ask for by variables and labels: text that whoever starts a container chose, so hostile until it is parsed."""

from skep_nginx.wishes.paths import PATH_LENGTH
from skep_nginx.wishes.read import asks, read_wish
from skep_nginx.wishes.wish import PREFIX, Method, PathWish, SiteWish, TlsWish, Wish

__all__ = ["PATH_LENGTH", "PREFIX", "Method", "PathWish", "SiteWish", "TlsWish", "Wish", "asks", "read_wish"]
