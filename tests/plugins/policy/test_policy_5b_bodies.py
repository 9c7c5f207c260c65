"""Attacks by bodies: groups 2, 3, 4 and 7. Whatever is refused reaches no engine, and what is not goes there as it was understood."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GROUP_2: dict[str, Any] = {
    "Privileged": True,
    "CapAdd": ["ALL"],
    "SecurityOpt": ["seccomp=unconfined"],
    "Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}],
    "DeviceCgroupRules": ["a *:* rwm"],
    "DeviceRequests": [{"Driver": "nvidia", "Count": -1}],
    "PidMode": "host",
    "IpcMode": "host",
    "NetworkMode": "host",
    "UTSMode": "host",
    "UsernsMode": "host",
    "CgroupnsMode": "host",
    "CgroupParent": "/",
    "Runtime": "evil",
    "Sysctls": {"kernel.core_pattern": "|/x"},
    "OomScoreAdj": -1000,
    "OomKillDisable": True,
    "MaskedPaths": [],
    "ReadonlyPaths": [],
    "Annotations": {"org.systemd.property.X": "1"},
    "LogConfig": {"Type": "syslog"},
    "VolumeDriver": "evil",
    "StorageOpt": {"x": "y"},
    "CpuRealtimeRuntime": 950000,
    "PortBindings": {"80/tcp": [{"HostPort": "22"}]},
}
MORE = [
    *({"CapAdd": [name]} for name in ("SYS_ADMIN", "cap_sys_admin", "CAP_Sys_Admin", "all", "NET_RAW")),
    *(
        {"SecurityOpt": [text]}
        for text in (
            "apparmor=unconfined",
            "apparmor:unconfined",
            "label=disable",
            "seccomp={}",
            "systempaths=unconfined",
            "no-new-privileges:false",
        )
    ),
    *({field: "container:other"} for field in ("PidMode", "IpcMode", "NetworkMode")),
    {"VolumesFrom": ["other"]},
]
GROUP_3: list[dict[str, Any]] = [
    *({"Binds": [text]} for text in ("/:/host", "/var/run/docker.sock:/s", "/proc:/p", "/srv/../:/x", "/srv/link:/x", "//:/x", "vol:/x:rshared", "vol:/proc/sys", "vol:/x/../../proc", "../x:/x", "C:\\:/x")),
    *({"Mounts": [{"Type": "bind", "Source": text, "Target": "/x"}]} for text in ("/", "/srv/sub", "")),
    {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}}}}]},
    {"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "evil"}}}]},
    {"Mounts": [{"Type": "npipe", "Source": "x", "Target": "/x"}]},
    {"Mounts": [{"Target": "/x", "Source": "/"}]},
    {"Mounts": [{"Type": "Bind", "Source": "/", "Target": "/x"}]},
    {"Tmpfs": {"/proc": ""}},
    {"Tmpfs": {"/x": "bind"}},
    {"Tmpfs": {"/": ""}},
]  # fmt: skip


@pytest.mark.parametrize("host", [*({key: value} for key, value in GROUP_2.items()), *MORE, *GROUP_3], ids=str)
async def test_no_way_to_the_host(baseline: Any, host: dict[str, Any]) -> None:
    baseline.engines["n1"].run("other")
    await baseline.known(1)
    status, told = await baseline.create(host)
    assert (status, told["message"].startswith("policy: rule alice refuses container.create: ")) == (403, True), told
    assert not baseline.changes()


@pytest.mark.parametrize("host", [{}, {"Memory": 2**23, "CapDrop": ["NET_RAW"]}, {"Binds": ["data:/data:ro"]}, {"Tmpfs": {"/run": "size=64m"}}, {"PortBindings": {"80/tcp": [{"HostPort": ""}]}}, {"CapAdd": ["CAP_CHOWN"]}, {"IpcMode": "private", "NetworkMode": "bridge"}], ids=str)  # fmt: skip
async def test_what_harms_nobody_goes_through(baseline: Any, host: dict[str, Any]) -> None:
    status, told = await baseline.create(host)
    assert status == 201, told
    (sent,) = baseline.changes("/containers/create")
    assert {key: sent["HostConfig"][key] for key in host} == host


async def test_binds_are_allowed_exactly(serving: Any) -> None:
    """A path below an allowed one could be a symbolic link that a container made."""
    rules = {"a": {"clients": ["ip:127.0.0.1"], "allow": ["run"], "binds": ["/srv/data", "/etc/x:ro"]}}
    async with serving("n1", rules=rules) as served:
        verdicts = [
            (await served.create({"Binds": [text]}))[0]
            for text in (
                "/srv/data:/d",
                "/srv/data/sub:/d",
                "/srv/data/:/d",
                "/srv/data2:/d",
                "/etc/x:/x",
                "/etc/x:/x:ro",
            )
        ]
        assert verdicts == [201, 403, 403, 403, 403, 201]


async def test_restricted_puts_in_what_is_missing(restricted: Any) -> None:
    assert (await restricted.create())[0] == 201
    (sent,) = restricted.changes("/containers/create")
    assert sent["User"] == "65534:65534"
    assert sent["HostConfig"]["CapDrop"] == ["ALL"]
    assert sent["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]


@pytest.mark.parametrize(
    "user", ["0", "root", "00", "+0", "-0", "0:0", "1000:0", "app", "1000:root", " 1000", "4294967296000"]
)
async def test_restricted_is_nobodys_root(restricted: Any, user: str) -> None:
    status, told = await restricted.create(User=user)
    assert (status, "who is not root" in told["message"]) == (403, True)


# -- group 4: the same by other ways

CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/containers/box/exec", {"Cmd": ["sh"], "Privileged": True}),
    ("POST", "/containers/box/exec", {"Cmd": ["sh"], "pRiViLeGeD": True}),
    ("POST", "/containers/box/exec", {"Cmd": ["sh"], "User": "0"}),
    ("POST", "/containers/box/update", {"Devices": [{"PathOnHost": "/dev/sda"}]}),
    ("POST", "/containers/box/update", {"DeviceCgroupRules": ["a *:* rwm"]}),
    ("POST", "/containers/box/update", {"CgroupParent": "/"}),
    ("POST", "/containers/box/start", {"Privileged": True}),
    ("POST", "/containers/box/start", {"Binds": ["/:/host"]}),
    ("POST", "/volumes/create", {"Name": "v", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}}),
    ("POST", "/volumes/create", {"Name": "v", "driveropts": {"type": "nfs", "o": "addr=1.2.3.4", "device": ":/"}}),
    ("POST", "/volumes/create", {"Name": "v", "Driver": "evil"}),
    ("POST", "/networks/create", {"Name": "x", "Driver": "macvlan"}),
    ("POST", "/networks/create", {"Name": "x", "Options": {"com.docker.network.bridge.name": "br0"}}),
    ("POST", "/build?networkmode=host", None),
    ("POST", "/build?remote=http://169.254.169.254/", None),
    ("POST", "/build?version=2&session=x", None),
    ("POST", "/build?cgroupparent=/", None),
    ("POST", "/build?securityopt=%5B%22seccomp%3Dunconfined%22%5D", None),
    ("POST", "/build?networkmode=none&networkmode=host", None),
    ("POST", "/grpc", None),
    ("POST", "/session", None),
    ("POST", "/plugins/pull?remote=evil", None),
    ("GET", "/plugins", None),
    ("POST", "/swarm/init", {"ListenAddr": "0.0.0.0"}),
    ("POST", "/services/create", {"Name": "x"}),
    ("POST", "/containers/box/something-new", {"x": 1}),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[1]} {call[2]}")
async def test_nor_by_another_call(serving: Any, call: tuple[str, str, Any]) -> None:
    rules = {"alice": {"clients": ["ip:127.0.0.1"], "allow": ["all"]}}
    async with serving("n1", rules=rules) as served:
        served.engines["n1"].run("box")
        await served.known(1)
        method, path, body = call
        status, told = await served.call(method, path, json=body) if body else await served.call(method, path)
        assert (status, told["message"].startswith("policy: rule alice refuses")) == (403, True), told
        assert not served.changes()


async def test_files_are_written_only_by_who_may(serving: Any) -> None:
    rules = {"alice": {"clients": ["ip:127.0.0.1"], "allow": ["operate"]}}
    async with serving("n1", rules=rules) as served:
        served.engines["n1"].run("box")
        await served.known(1)
        for method, path in (("PUT", "/containers/box/archive?path=/mnt"), ("POST", "/images/load")):
            status, _ = await served.call(method, path, data=b"x" * 1000)
            assert status == 403
        assert not served.changes()


# -- group 7: one body, two readers

BODIES: dict[str, bytes] = {
    "a key twice": b'{"Image": "x", "HostConfig": {"Privileged": false, "Privileged": true}}',
    "an object twice": b'{"Image": "x", "HostConfig": {}, "HostConfig": {"Privileged": true}}',
    "two spellings": b'{"Image": "x", "HostConfig": {"Privileged": false, "privileged": true}}',
    "two objects": b'{"Image": "x", "HostConfig": {}, "hostconfig": {"Privileged": true}}',
    "another spelling": b'{"Image": "x", "hostCONFIG": {"PRIVILEGED": true}}',
    "escapes": b'{"Image": "x", "Host\\u0043onfig": {"\\u0050rivileged": true}}',
    "a Kelvin sign": '{"Image": "x", "HostConfig": {"MasKedPaths": []}}'.replace("K", "\u212a").encode(),
    "a long s": '{"Image": "x", "HoſtConfig": {"Privileged": true}}'.encode(),
    "an unknown field": b'{"Image": "x", "HostConfig": {"NewAndDangerous": true}}',
    "a wrong type": b'{"Image": "x", "HostConfig": {"Privileged": 1}}',
    "a list for an object": b'{"Image": "x", "HostConfig": [{"Privileged": true}]}',
    "trailing data": b'{"Image": "x"}{"HostConfig": {"Privileged": true}}',
    "a mark": b'\xef\xbb\xbf{"Image": "x"}',
    "no number": b'{"Image": "x", "HostConfig": {"Memory": 1e400}}',
    "depth": b'{"Image": "x", "Labels": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    "no UTF-8": b'{"Image": "x", "Labels": {"a": "\xff\xfe"}}',
    "utf-16": '{"Image": "x"}'.encode("utf-16"),
    "a list": b'[{"Image": "x"}]',
    "gzip": gzip.compress(b'{"Image": "x", "HostConfig": {"Privileged": true}}'),
    "too large": b'{"Image": "x", "Labels": {"a": "' + b"x" * (2**22) + b'"}, "HostConfig": {"Privileged": true}}',
    "a megabyte and one": b'{"Image": "x", "Labels": {"a": "'
    + b"x" * (2**20)
    + b'"}, "HostConfig": {"Privileged": true}}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}], ids=str)
async def test_no_body_is_read_in_two_ways(baseline: Any, name: str, headers: dict[str, str]) -> None:
    for chunked in (False, True):
        data = io.BytesIO(BODIES[name])
        status, told = await baseline.call(
            "POST",
            "/containers/create",
            data=data,
            headers=headers,
            chunked=chunked,
            skip_auto_headers=["Content-Type"],
        )
        assert status in (400, 403, 413, 415), told
        assert not baseline.changes()


async def test_a_body_that_says_it_is_a_form_gives_no_parameters(serving: Any) -> None:
    rules = {"alice": {"clients": ["ip:127.0.0.1"], "allow": ["build", "run"], "profile": "baseline"}}
    async with serving("n1", rules=rules) as served:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for path in ("/build", "/images/create?fromImage=busybox", "/images/load"):
            status, _ = await served.call("POST", path, data=b"networkmode=host&fromSrc=http://x/", headers=headers)
            assert status in (400, 415)
        assert not served.changes()


async def test_an_engine_gets_the_body_anew(baseline: Any) -> None:
    data = b'{ "image":"busybox", "CMD":["true"],\n "L\\u0061bels":{"\\u0061":"b"} , "hostconfig":{"memory":6291456}}'
    status, told = await baseline.call("POST", "/containers/create", data=data)
    assert status == 201, told
    ((_, _, sent),) = [each for each in baseline.sent if "/create" in each[1]]
    body = json.loads(sent)
    assert (body["Image"], body["Cmd"], body["Labels"]["a"], body["HostConfig"]["Memory"]) == (
        "busybox",
        ["true"],
        "b",
        6291456,
    )
    assert b"\\u" not in sent


KEYS = st.sampled_from(["Privileged", "PidMode", "CapAdd", "Binds", "Devices", "NetworkMode"])
DANGER = {"Privileged": "true", "PidMode": '"host"', "CapAdd": '["ALL"]', "Binds": '["/:/h"]', "Devices": '[{"PathOnHost":"/dev/sda"}]', "NetworkMode": '"host"'}  # fmt: skip


@st.composite
def tricky(draw: st.DrawFn, key: str) -> str:
    """A key in some case, some of its letters escaped, or as the letters that Go takes for them."""
    letters = []
    for letter in key:
        way = draw(st.integers(0, 4))
        each = letter.swapcase() if way == 1 else letter
        if way == 2 and letter in "sS":
            each = "ſ"
        letters.append(f"\\u{ord(each):04x}" if way == 3 else each)
    return "".join(letters)


@st.composite
def tricky_bodies(draw: st.DrawFn) -> bytes:
    pairs = []
    for key in draw(st.lists(KEYS, min_size=1, max_size=3)):
        pairs.append(f'"{draw(tricky(key))}":{DANGER[key]}')
        if draw(st.booleans()):
            pairs.insert(draw(st.integers(0, len(pairs))), f'"{draw(tricky(key))}":null')
    host = f'"{draw(tricky("HostConfig"))}":{{{",".join(pairs)}}}'
    parts = draw(st.permutations(['"Image":"busybox"', '"Cmd":["true"]', host, *draw(st.sampled_from([[], ['"HostConfig":null'], ['"HostConfig":{}']]))]))  # fmt: skip
    return ("{" + ",".join(parts) + "}").encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=tricky_bodies(), profile=st.sampled_from(["baseline", "restricted"]))
def test_no_spelling_gets_a_dangerous_field_to_an_engine(body: bytes, profile: str) -> None:
    from skep import ApiRequest, Client, RequestError, strict_json
    from skep_policy import Rule
    from skep_policy.judging import judge

    try:
        request = ApiRequest(client=Client(), method="POST", path="/containers/create", body=strict_json(body, "body"))
        _, findings = judge(request, Rule(clients=("x",), allow=("run",), profile=profile), None)  # type: ignore[arg-type]
    except RequestError:
        return
    assert findings, body
