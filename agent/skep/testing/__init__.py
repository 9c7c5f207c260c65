"""For plugin authors: an embedded engine, fixtures and assertions."""
