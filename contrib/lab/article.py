"""The four hosts of the article that the project replays, with their engines' labels."""

ARTICLE: dict[str, dict[str, str]] = {
    "swarm-master": {"provider": "lab", "public": "no"},
    "frontend": {"provider": "lab", "public": "yes"},
    "backend1": {"provider": "lab", "public": "no", "model": "high-memory"},
    "backend2": {"provider": "lab", "public": "no", "model": "large-disk"},
}
"""Labels by host name: `Lab(ARTICLE, labels=ARTICLE)`."""
