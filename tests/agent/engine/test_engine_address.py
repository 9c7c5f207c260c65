import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.engine import Engine
from skep.engine.address import Address
from skep.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "canonical", "origin"),
    [
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock", "http://docker"),
        ("tcp://10.0.0.1:2375", "tcp://10.0.0.1:2375", "http://10.0.0.1:2375"),
        ("10.0.0.1:2375", "tcp://10.0.0.1:2375", "http://10.0.0.1:2375"),
        ("tcp://node-1.example", "tcp://node-1.example:2375", "http://node-1.example:2375"),
        ("http://node:80/", "tcp://node:80", "http://node:80"),
        ("https://node", "tcp://node:2376", "https://node:2376"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375", "http://[::1]:2375"),
        ("[fe80::1]:1", "tcp://[fe80::1]:1", "http://[fe80::1]:1"),
    ],
)
def test_addresses_have_one_canonical_form(text: str, canonical: str, origin: str) -> None:
    address = Address.parse(text)
    assert (address.text, address.origin) == (canonical, origin)
    assert Address.parse(canonical, secure=address.secure) == address


def test_tls_takes_dockers_tls_port() -> None:
    assert Address.parse("tcp://node", secure=True).origin == "https://node:2376"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "host is missing"),
        ("node", "port is missing"),
        ("tcp://", "host is missing"),
        (":2375", "host is missing"),
        ("node:0", "'0' is not a port"),
        ("node:65536", "not a port"),
        ("node:²", "not of the form|not a port"),
        ("node:2375/v1.41", "not of the form"),
        ("::1:2375", "brackets"),
        ("[::zz]:2375", "not an IPv6 address"),
        ("ssh://root@node", "ssh:// is not supported"),
        ("/var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("unix://docker.sock", "absolute"),
        ("unix:///" + "x" * 200, "107 bytes"),
        ("no de:2375", "not a host name"),
        ("user@node:2375", "not a host name"),
        ("node:2375\r\nHost: x", "not of the form|not a port"),
    ],
)
def test_a_wrong_address_is_refused_saying_what_is_right(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        Engine(text)
    assert "tcp://host:2375" in str(caught.value)


def test_plain_http_contradicts_tls() -> None:
    with pytest.raises(SettingsError, match="https"):
        Address.parse("http://node:2375", secure=True)
    with pytest.raises(SettingsError, match="unix socket has none"):
        Address.parse("unix:///run/docker.sock", secure=True)


def test_listening_takes_any_host_and_any_port() -> None:
    assert (Address.parse_listen(":2375").host, Address.parse_listen("127.0.0.1:0").port) == ("", 0)
    with pytest.raises(SettingsError, match="port is missing"):
        Address.parse_listen("127.0.0.1")


@given(st.text() | st.from_regex(r"(tcp://)?[\[\]a-z0-9:.]{0,12}(:[0-9]{0,6})?/?"))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for parse in (Address.parse, Address.parse_listen):
        try:
            address = parse(text)
        except SettingsError:
            continue
        assert address.path or 0 <= address.port < 65536
