"""A plugin for skep that greets every container that starts."""

from skep import ContainerStarted, Plugin


class HelloPlugin(Plugin):
    """Greets."""

    async def container_started(self, event: ContainerStarted) -> None:
        self.log.info("hello, %s on %s", event.container.name, event.node.name)
