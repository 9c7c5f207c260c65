"""nginx-proxy's own variables mean settings."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from skep import SettingsError
from skep_nginx import NginxSettings
from skep_nginx.environment import nginx_table

RESOLV = Path("/nonexistent")


def read(**environment: str) -> NginxSettings:
    return msgspec.convert(nginx_table(environment, RESOLV), NginxSettings)


def test_without_any_it_is_as_nginx_proxy_is() -> None:
    settings = read()
    assert (settings.listen, settings.tls.listen) == (("0.0.0.0:80",), ("0.0.0.0:443",))
    assert (settings.tls.method, settings.tls.hsts, settings.tls.policy) == (
        "redirect",
        "max-age=31536000",
        "Mozilla-Intermediate",
    )
    assert (settings.trust_forwarded, settings.default_root, settings.unknown_host) == (True, "404", 503)
    assert settings.vhost_files == "/etc/nginx/vhost.d"


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("HTTP_PORT", "8080", "listen", ("0.0.0.0:8080",)),
        ("HTTPS_PORT", "8443", "tls.listen", ("0.0.0.0:8443",)),
        ("ENABLE_IPV6", "T", "listen", ("0.0.0.0:80", "[::]:80")),
        ("DEFAULT_HOST", "shop.example", "default_host", "shop.example"),
        ("DEFAULT_ROOT", "none", "default_root", "none"),
        ("HTTPS_METHOD", "nohttps", "tls.method", "nohttps"),
        ("NON_GET_REDIRECT", "308", "tls.non_get_redirect", 308),
        ("HSTS", "off", "tls.hsts", "off"),
        ("SSL_POLICY", "AWS-2016-08", "tls.policy", "AWS-2016-08"),
        ("TRUST_DEFAULT_CERT", "false", "tls.trust_default", False),
        ("ENABLE_HTTP_ON_MISSING_CERT", "0", "tls.http_without_certificate", False),
        ("TRUST_DOWNSTREAM_PROXY", "false", "trust_forwarded", False),
        ("ENABLE_PROXY_PROTOCOL", "1", "proxy_protocol", True),
        ("PREFER_IPV6_NETWORK", "true", "prefer_ipv6", True),
        ("ENABLE_HTTP2", "f", "tls.http2", False),
        ("ENABLE_HTTP3", "t", "tls.http3", True),
        ("ACME_HTTP_CHALLENGE_LOCATION", "legacy", "tls.challenges", "legacy"),
        ("ACME_HTTP_CHALLENGE_LOCATION", "F", "tls.challenges", "false"),
        ("ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST", "true", "tls.challenges_unknown_host", True),
        ("RESOLVERS", "10.0.0.2 [fd00::2]:53 valid=30s", "resolvers", ("10.0.0.2", "[fd00::2]:53", "valid=30s")),
        ("SHA1_UPSTREAM_NAME", "true", "hashed_names", True),
        ("DEBUG_ENDPOINT", "true", "debug", True),
        ("DISABLE_ACCESS_LOGS", "true", "access_log", ""),
        ("LOG_FORMAT", "$host", "log_format", "$host"),
        ("LOG_FORMAT_ESCAPE", "json", "log_escape", "json"),
        ("LOG_JSON", "true", "log_json", True),
        ("NGINX_CONTAINER_LABEL", "proxy", "container.label", "proxy"),
        ("NGINX_CONTAINER_LABEL", "proxy", "mode", "container"),
        ("DOCKER_CONTAINER_FILTERS", "network=web, label=a=b", "filters", ("network=web", "label=a=b")),
    ],
)
def test_each_variable(name: str, text: str, key: str, value: Any) -> None:
    found: Any = read(**{name: text})
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("HTTP_PORT", "80;", r"HTTP_PORT is '80;': expected one number from 1 to 65535"),
        ("ENABLE_IPV6", "yes", r"ENABLE_IPV6 is 'yes': expected true or false"),
        ("NON_GET_REDIRECT", "200", r"NON_GET_REDIRECT is '200': expected one of 301, 302"),
        ("HTTPS_METHOD", "x", r"Invalid enum value 'x'.*tls\.method"),
        ("HSTS", "max-age=x", r"HSTS is 'max-age=x': expected off, or for example"),
        ("SSL_POLICY", "none", r"SSL_POLICY is 'none': expected the name of a policy"),
        ("RESOLVERS", "1.1.1.1; evil", r"resolvers: '1\.1\.1\.1;': expected an address"),
        ("DEFAULT_ROOT", "404; }", r"default_root: '404; }' is no answer"),
        ("DEFAULT_HOST", "a b", r"VIRTUAL_HOST has 'a b'"),
        ("LOG_FORMAT", "a\nb", r"log_format: expected printable ASCII on one line"),
        ("DOCKER_CONTAINER_FILTERS", "status=x", r"filters: 'status=x': expected 'label=NAME'"),
    ],
)
def test_what_is_wrong_is_named(name: str, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read(**{name: text})


def test_the_name_servers_of_the_machine(tmp_path: Path) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("search x\nnameserver 10.0.0.2\nnameserver fd00::2\nnameserver fe80::1%eth0\nnameserver\n")
    assert nginx_table({}, resolv)["resolvers"] == ["10.0.0.2", "[fd00::2]"]
