"""Each tick of the README's tables stands for a test that asks a real nginx."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = ROOT / "plugins/skep_nginx/README.md"
HERE, ENGINES = Path(__file__).parent, ROOT / "tests/engines"

SHOWN = {
    "VIRTUAL_HOST": "variables.test_hosts_by_pattern_and_by_address serving.test_requests_are_shared_and_wildcards_match",
    "VIRTUAL_PORT": "protocols_upstreams.test_the_port_that_a_container_exposes",
    "VIRTUAL_PATH": "variables.test_paths_of_several_containers protocols_settings.test_kinds_of_paths",
    "VIRTUAL_DEST": "variables.test_paths_of_several_containers",
    "VIRTUAL_PROTO": "protocols_grpc.test_all_kinds_of_calls protocols_upstreams.test_containers_that_speak_tls variables.test_uwsgi",
    "VIRTUAL_ROOT": "variables.test_fastcgi",
    "VIRTUAL_HOST_MULTIPORTS": "variables.test_several_ports protocols_settings.test_several_ports_and_an_external_one",
    "EXTERNAL_HTTP_PORT": "variables.test_the_site_at_another_port",
    "EXTERNAL_HTTPS_PORT": "tls.test_another_port_for_tls_is_in_redirects",
    "NETWORK_ACCESS": "variables.test_private_paths",
    "SERVER_TOKENS": "protocols_settings.test_what_nginx_says_of_its_version",
    "HTTPS_METHOD": "tls.test_how_plain_requests_are_answered protocols_variables.test_plain_requests",
    "HSTS": "protocols_variables.test_strict_transport",
    "SSL_POLICY": "tls.test_versions_and_ciphers_by_policy protocols_variables.test_policies",
    "CERT_NAME": "tls.test_the_name_chooses_the_certificate",
    "ENABLE_HTTP_ON_MISSING_CERT": "protocols_variables.test_sites_without_a_certificate",
    "ACME_HTTP_CHALLENGE_LOCATION": "protocols_variables.test_challenges_of_another_client_of_acme",
    "loadbalance": "protocols_upstreams.test_methods_of_sharing",
    "keepalive": "protocols_upstreams.test_connections_to_containers_are_kept",
    "http2.enable": "of_trixie.test_http2_and_http3_of_a_newer_nginx",
    "http3.enable": "protocols_quic.test_a_container_says_whether",
    "non-get-redirect": "protocols_variables.test_requests_that_are_no_get",
    "ssl_verify_client": "protocols_variables.test_which_clients_show_a_certificate",
    "trust-default-cert": "protocols_variables.test_the_default_certificate",
    "debug-endpoint": "variables.test_what_nginx_tells_of_itself",
    "HTTP_PORT": "protocols_variables.test_ports_and_addresses",
    "HTTPS_PORT": "protocols_variables.test_ports_and_addresses",
    "ENABLE_IPV6": "protocols_variables.test_ports_and_addresses",
    "DEFAULT_HOST": "protocols_variables.test_the_default_host_and_root",
    "DEFAULT_ROOT": "protocols_variables.test_the_default_host_and_root variables.test_what_no_path_matches",
    "NON_GET_REDIRECT": "protocols_variables.test_requests_that_are_no_get",
    "TRUST_DEFAULT_CERT": "protocols_variables.test_the_default_certificate",
    "ENABLE_HTTP2": "protocols_variables.test_http2 protocols_h2c.test_redirects_and_none_of_it",
    "ENABLE_HTTP3": "protocols_quic.test_requests_by_http3",
    "ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST": "protocols_variables.test_challenges_of_another_client_of_acme",
    "TRUST_DOWNSTREAM_PROXY": "protocols_variables.test_whoever_is_in_front",
    "ENABLE_PROXY_PROTOCOL": "protocols_variables.test_the_proxy_protocol tls.test_the_proxy_protocol_before_tls",
    "PREFER_IPV6_NETWORK": "protocols_networks.test_ipv6_and_a_label_and_a_network",
    "RESOLVERS": "protocols_settings.test_name_servers",
    "SHA1_UPSTREAM_NAME": "protocols_variables.test_names_of_upstreams_and_the_debug_endpoint",
    "DEBUG_ENDPOINT": "protocols_variables.test_names_of_upstreams_and_the_debug_endpoint",
    "DISABLE_ACCESS_LOGS": "protocols_variables.test_logs_of_hostile_requests",
    "LOG_FORMAT": "protocols_variables.test_logs_of_hostile_requests",
    "LOG_FORMAT_ESCAPE": "protocols_variables.test_logs_of_hostile_requests",
    "LOG_JSON": "protocols_variables.test_logs_of_hostile_requests",
    "NGINX_CONTAINER_LABEL": "protocols_networks.test_ipv6_and_a_label_and_a_network",
    "DOCKER_CONTAINER_FILTERS": "protocols_variables.test_filters protocols_networks.test_ipv6_and_a_label_and_a_network",
    "DHPARAM_BITS": "protocols_settings.test_groups_for_dhe",
    "DHPARAM_SKIP": "protocols_settings.test_groups_for_dhe",
    "DHPARAM_GENERATION": "protocols_settings.test_groups_for_dhe",
    "DOCKER_HOST": "image.test_dockers_variables_reach_an_engine_that_asks_for_certificates",
    "DOCKER_TLS_VERIFY": "image.test_dockers_variables_reach_an_engine_that_asks_for_certificates",
    "DOCKER_CERT_PATH": "image.test_dockers_variables_reach_an_engine_that_asks_for_certificates",
}
"""The tests of each variable and label, by their file (`test_nginx_` before it) and name."""


def test_each_tick_has_its_test() -> None:
    rows = [row.split(" | ") for row in README.read_text().splitlines() if row.startswith("|") and " | ✓ |" in row]
    ticked = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert ticked == set(SHOWN)


@pytest.mark.parametrize("name", sorted({name for names in SHOWN.values() for name in names.split()}))
def test_the_tests_are_there(name: str) -> None:
    module, _, function = name.partition(".")
    [file] = [path for folder in (HERE, ENGINES) if (path := folder / f"test_nginx_{module}.py").exists()]
    tree = ast.parse(file.read_text())
    assert function in {each.name for each in tree.body if isinstance(each, ast.AsyncFunctionDef)}
