"""The pytest plugin that skep ships: fixtures for plugin authors."""
