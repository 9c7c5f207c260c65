from skep_hello import HelloPlugin

from skep.testing import assert_plugin_loaded, check_plugin, wait_for


def test_it_is_installed():
    assert_plugin_loaded("hello")


async def test_it_does_what_skep_expects():
    await check_plugin(HelloPlugin)


async def test_it_greets(embedded_engine, skep_agent, caplog):
    caplog.set_level("INFO")
    await skep_agent(plugins=[HelloPlugin], engines=[embedded_engine])
    embedded_engine.run("web", "nginx")
    await wait_for(lambda: "hello, web on node1" in caplog.text)
