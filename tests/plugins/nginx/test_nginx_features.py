"""The configuration is written for the nginx that is there; policies are those that have names."""

import json
import subprocess
from pathlib import Path

import crossplane
import pytest

from skep_nginx.features import Features, read_features
from skep_nginx.model import POLICIES, Certificate, Host, Listen, Proxy, Redirect, Site, Tls
from skep_nginx.render import Style, render
from skep_nginx.render.policies import POLICY, laxest

HTTPS = (Listen("0.0.0.0", 443, tls=True), Listen("0.0.0.0", 443, tls=True, quic=True))
TOLD = "nginx version: nginx/{}\nbuilt with OpenSSL 3.5\nconfigure arguments: --with-http_ssl_module {}"


def parsed(tmp_path: Path, features: Features, *, http3: bool = True) -> dict[str, list[list[str]]]:
    """Every directive of a configuration with one site by TLS, by name."""
    listens = HTTPS if http3 else HTTPS[:1]
    tls = Tls(Certificate("a", "/c.pem", "/c.pem"), http3=http3, hsts="max-age=1; preload")
    site = Site(Host("a.example"), listens, (), tls=tls, redirect=Redirect((Listen("0.0.0.0", 80),), non_get=308))
    style = Style((Listen("0.0.0.0", 80),), features=features, https=HTTPS[:1], prefix=tmp_path)
    file = tmp_path / "nginx.conf"
    file.write_bytes(render(Proxy((site,)), style).text)
    answer = crossplane.parse(str(file))
    assert answer["status"] == "ok", json.dumps(answer["errors"])
    found: dict[str, list[list[str]]] = {}

    def walk(block: list[dict[str, object]]) -> None:
        for each in block:
            found.setdefault(str(each["directive"]), []).append(list(each["args"]))  # type: ignore[call-overload]
            walk(each.get("block", []))  # type: ignore[arg-type]

    walk(answer["config"][0]["parsed"])
    return found


@pytest.mark.parametrize(
    ("version", "modules", "features"),
    [
        ("1.22.1", "--with-http_v2_module", Features((1, 22, 1))),
        ("1.26.3", "--with-http_v2_module --with-http_v3_module", Features((1, 26, 3), http3=True)),
        ("1.29.4", "", Features((1, 29, 4), http2=False)),
    ],
)
def test_what_nginx_says_of_itself(version: str, modules: str, features: Features) -> None:
    assert read_features(TOLD.format(version, modules)) == features


@pytest.mark.parametrize("text", ["", "Apache/2.4", TOLD.format("1.14.2", ""), "nginx version: nginx/x.y.z"])
def test_what_is_no_nginx_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match=r"tells no version|too old"):
        read_features(text)


def test_the_nginx_of_this_machine() -> None:
    told = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    assert read_features(told).version >= (1, 19, 5)


def test_an_old_nginx_says_http2_where_it_listens(tmp_path: Path) -> None:
    found = parsed(tmp_path, Features((1, 22, 1)), http3=False)
    assert ["0.0.0.0:443", "ssl", "http2"] in found["listen"]
    assert not {"http2", "http3"} & found.keys()


def test_a_new_nginx_says_it_in_each_server(tmp_path: Path) -> None:
    found = parsed(tmp_path, Features((1, 26, 3), http3=True))
    assert found["http2"] == [["on"]] * 4  # of unknown hosts and of the site, plainly and by TLS
    assert found["http3"] == [["on"]]
    assert ["0.0.0.0:443", "ssl"] in found["listen"]
    assert ["0.0.0.0:443", "quic"] in found["listen"]
    assert [words for words in found["listen"] if "reuseport" in words] == [
        ["0.0.0.0:443", "reuseport", "default_server", "quic"]
    ]
    assert ["Alt-Svc", 'h3=":443"; ma=86400', "always"] in found["add_header"]
    assert ["Strict-Transport-Security", "max-age=1; preload", "always"] in found["add_header"]


def test_http3_is_left_out_where_nginx_has_none(tmp_path: Path) -> None:
    found = parsed(tmp_path, Features((1, 26, 3)))
    assert "quic" not in str(found["listen"])
    assert "http3" not in found
    assert "Alt-Svc" not in str(found["add_header"])


def test_all_policies_that_have_names_are_there() -> None:
    assert set(POLICY) == set(POLICIES)
    assert len(POLICY) == 22
    old = {name for name, policy in POLICY.items() if policy.is_old}
    assert len(old) == 10  # those that nginx-proxy lowers its default server for


@pytest.mark.parametrize("name", POLICIES)
def test_openssl_knows_ciphers_of_each_policy(name: str) -> None:
    if ciphers := POLICY[name].cipher_list:
        told = subprocess.run(["openssl", "ciphers", ciphers], capture_output=True, text=True, check=True).stdout
        missing = set(POLICY[name].ciphers) - set(told.strip().split(":"))
        assert missing <= {"DES-CBC3-SHA"}


def test_the_default_server_lets_in_whoever_a_site_lets_in() -> None:
    assert laxest(["Mozilla-Intermediate"]) == "Mozilla-Intermediate"
    assert laxest(["Mozilla-Modern", "AWS-FS-1-2-2019-08"]) == "Mozilla-Intermediate"
    assert POLICY[laxest(["Mozilla-Modern", "AWS-2015-02"])].protocols == POLICY["Mozilla-Old"].protocols
    assert laxest([]) == "Mozilla-Intermediate"
