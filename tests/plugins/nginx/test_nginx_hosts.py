"""What containers may say of themselves, and what not."""

import pytest

from skep import Container
from skep_nginx.hosts import STATUS_HOST, parse_host, parse_hosts
from skep_nginx.values import parse_port
from skep_nginx.wishes import read_wish


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("shop.example", ("shop.example",)),
        (" b.example ,, a.example,", ("a.example", "b.example")),
        ("A.Example,a.example", ("a.example",)),
        ("*.example.com", ("*.example.com",)),
        ("www.example.*", ("www.example.*",)),
        ("localhost", ("localhost",)),
        ("shop.example.", ("shop.example",)),
        ("10.1.2.3", ("10.1.2.3",)),
        ("xn--bcher-kva.example", ("xn--bcher-kva.example",)),
        ("1.example", ("1.example",)),
        ("my_app.example", ("my_app.example",)),
        ("[2001:DB8::1]", ("[2001:db8::1]",)),
        (r"~^www\.[a-z]+\.example$", (r"~^www\.[a-z]+\.example$",)),
        (r"~^(?:a|b)\d{2}\.Example", (r"~^(?:a|b)\d{2}\.Example",)),
        ("", ()),
        (" ,\t, ", ()),
    ],
)
def test_hosts_that_are_taken(text: str, hosts: tuple[str, ...]) -> None:
    assert parse_hosts(text, most=32) == hosts


@pytest.mark.parametrize(
    "text",
    [
        "a.example\n", "a.example\r\nb", "a;b", "a{", "a}", 'a"b', "a'b", "a\\b", "a#b", "$host", "${x}", "a`b", "a\0b", "a b",
        "~^.*$", "~", "~.*", "~^", "~.", "~(a+)+$", "~^(a|a)*$", "~^(a?){9}x", r"~^(.)\1\.example", "~^(?<host>x)y", "~^(?i)x", "~^(?=x)", "~^[", "~^a{1", "~^x)", "~^(x",
        "~^.*.*.*.*x", "~.*.*.*x", "~^x;", "~^x y", "~$+x", r"~^\b?x", "~^?x", r"~[\d-z]x", r"~[a-\d]x", "~^" + "(.|.)" * 15 + ".*.*.*[!=]$", "~^" + ".?" * 9 + ".*.*x$", "~^x\"", "~^x#", "~^é", "~^a++b", "~" + "a" * 201, "*", "*.", ".*", "*.a.*", "a.*.b", ".a.example", "a..b", "-a.example", "a-.example", "_", "_a", "a_", "a/b",
        "_ default_server", "default_server;", "a.example..", "999.1.1.1", "1.2.3", "127.1", "[::1", "[::1%lo]", "[x]", "::1", "a:80", "http://a",
        "bücher.example", "аpple.example", "\udcff", "a" * 64 + ".example", ".".join(["a" * 63] * 4), "x" * 10_240, STATUS_HOST,
        "a\u2028b", "\x85a", "a.example\u00a0",
    ],
)  # fmt: skip
def test_hosts_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^VIRTUAL_HOST ha?s? ?") as refused:
        parse_hosts(text, most=32)
    assert str(refused.value).isprintable()
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 300


def test_a_refused_name_in_other_letters_says_how_to_write_it() -> None:
    with pytest.raises(ValueError, match=r"'xn--bcher-kva\.example'"):
        parse_host("bücher.example")


def test_no_more_hosts_than_the_settings_allow() -> None:
    with pytest.raises(ValueError, match="names 3 hosts: at most 2"):
        parse_hosts("a,b,c", most=2)


@pytest.mark.parametrize("text", ["80", " 8080\t", "1", "65535", "00080"])
def test_ports_that_are_taken(text: str) -> None:
    assert parse_port("VIRTUAL_PORT", text) == int(text)


@pytest.mark.parametrize(
    "text", ["0", "-1", "+80", "70000", "80;", "0x50", "8 0", "80\n", "８０", "1e2", "80,81", "9" * 5000, "\0"]
)
def test_ports_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"VIRTUAL_PORT is .*: expected one number from 1 to 65535"):
        parse_port("VIRTUAL_PORT", text)


def test_the_last_entry_wins_as_in_the_container_itself() -> None:
    container = Container(
        id="1", name="web", node="node1", env=("VIRTUAL_HOST=a;", "VIRTUAL_HOST=b.example", "VIRTUAL_PORT=81")
    )
    wish = read_wish(container, most_hosts=1)
    assert wish is not None
    assert (wish.hosts, wish.ports) == (("b.example",), (81,))
    assert read_wish(Container(id="1", name="web", node="node1", env=("VIRTUAL_PORT=;",)), most_hosts=1) is None
