"""The calls that `test_clients_differential` compares, by subject: right and wrong ones of each endpoint."""

CONTAINERS = """
GET /containers/json
GET /containers/json?all=1
GET /containers/json?limit=x
GET /containers/json?filters=nonsense
GET /containers/json?filters={"nope":["x"]}
GET /containers/json?filters={"status":["nope"]}
GET /containers/json?filters={"exited":["x"]}
GET /containers/json?before=nope
GET /containers/json?filters={"since":["nope"]}
POST /containers/create
POST /containers/create nonsense
POST /containers/create {"Image":
POST /containers/create {}
POST /containers/create {"Image":"nope"}
POST /containers/create {"Image":"busybox","Cmd":5}
POST /containers/create {"Image":"BUSY:BOX:BAD"}
POST /containers/create?name=!bad {"Image":"busybox"}
POST /containers/create?name=x {"Image":"busybox"}
POST /containers/create?name=box {"Image":"busybox","Cmd":["sleep","100"],"HostConfig":{"NetworkMode":"nope"}}
POST /containers/create {"Image":"busybox","HostConfig":{"Memory":-5}}
POST /containers/create {"Image":"busybox","HostConfig":{"Memory":100}}
POST /containers/create {"Image":"busybox","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}
POST /containers/create {"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"x"}]}}}
POST /containers/create {"Image":"busybox","HostConfig":{"Binds":["relative:/x:rw:ro"]}}
POST /containers/create {"Image":"busybox","HostConfig":{"Links":["nope:db"]}}
POST /containers/create {"Image":"busybox","HostConfig":{"VolumesFrom":["nope"]}}
POST /containers/create?name=web {"Image":"busybox","Cmd":["sh","-c","echo out; exec sleep 100"],"StopSignal":"KILL","Labels":{"a":"b"},"Env":["A=1"]}
POST /containers/create?name=web {"Image":"busybox"}
GET /containers/json
GET /containers/json?all=true
GET /containers/json?all=1&limit=1
GET /containers/json?all=1&limit=-1
GET /containers/json?all=1&size=1
GET /containers/json?filters={"label":["a=b"]}&all=1
GET /containers/json?filters={"label":{"a=c":true}}&all=1
GET /containers/json?filters={"name":["we"]}&all=1
GET /containers/json?filters={"status":["created"]}
GET /containers/web/json
GET /containers/web/json?size=1
GET /containers/nope/json
GET /containers//json
POST /containers/web/start
POST /containers/web/start
POST /containers/nope/start
GET /containers/json
GET /containers/web/json
GET /containers/web/logs
GET /containers/web/logs?stdout=1&since=x
GET /containers/nope/logs?stdout=1
GET /containers/web/top
GET /containers/web/top?ps_args=nope
GET /containers/nope/top
GET /containers/web/changes
GET /containers/nope/changes
POST /containers/web/pause
POST /containers/web/pause
GET /containers/json
POST /containers/web/unpause
POST /containers/web/unpause
POST /containers/web/resize?h=10&w=20
POST /containers/web/resize?h=x
POST /containers/web/update {"Memory":67108864,"MemorySwap":67108864}
POST /containers/web/update {"Memory":"x"}
POST /containers/web/update nonsense
POST /containers/web/rename?name=other
POST /containers/web/rename?name=third
POST /containers/other/rename
POST /containers/other/rename?name=!bad
POST /containers/other/rename?name=other
POST /containers/other/kill?signal=NOPE
POST /containers/other/kill?signal=HUP
DELETE /containers/other
POST /containers/other/restart?t=1
POST /containers/other/stop?t=1
POST /containers/other/stop?t=1
POST /containers/other/kill
POST /containers/other/wait
GET /containers/other/top
GET /containers/json?all=1&filters={"status":["exited"]}
GET /containers/other/logs?stdout=1&stderr=1
GET /containers/other/logs?stdout=1&tail=1&follow=1
GET /containers/other/logs?stdout=1&tail=x
GET /containers/other/logs?stderr=1&timestamps=0
POST /containers/other/attach?logs=1&stdout=1&stderr=1
POST /containers/nope/attach?stdout=1
DELETE /containers/nope
DELETE /containers/other?v=1
DELETE /containers/other
POST /containers/prune?filters={"nope":["x"]}
POST /containers/prune
POST /containers/nope/stop
POST /containers/nope/kill
POST /containers/nope/restart
POST /containers/nope/pause
POST /containers/nope/wait
POST /containers/nope/rename?name=x
POST /containers/nope/update {}
GET /containers/nope/stats?stream=0
GET /containers/nope/export
"""

EXECS = """
POST /containers/create?name=web {"Image":"busybox","Cmd":["sleep","100"],"StopSignal":"KILL"}
POST /containers/web/exec {"Cmd":["true"]}
POST /containers/nope/exec {"Cmd":["true"]}
POST /containers/web/start
POST /containers/web/exec {}
POST /containers/web/exec nonsense
POST /containers/web/exec {"Cmd":"sh"}
one <- POST /containers/web/exec {"Cmd":["sh","-c","echo out; echo err >&2; exit 3"],"AttachStdout":true,"AttachStderr":true}
GET /exec/$one/json
POST /exec/$one/start {}
GET /exec/$one/json
POST /exec/$one/start {}
two <- POST /containers/web/exec {"Cmd":["true"]}
POST /exec/$two/start {"Detach":true}
three <- POST /containers/web/exec {"Cmd":["nope"],"AttachStdout":true}
POST /exec/$three/start {"Detach":false}
four <- POST /containers/web/exec {"Cmd":["echo","tty"],"Tty":true,"AttachStdout":true}
POST /exec/$four/start {"Tty":true}
POST /exec/$four/start nonsense
POST /exec/nope/start {}
POST /exec/nope/resize?h=1&w=1
GET /exec/nope/json
DELETE /containers/web?force=1
"""

FILES = """
POST /containers/create?name=web {"Image":"busybox"}
PUT /containers/web/archive?path=/tmp <file>
PUT /containers/web/archive?path=/nope <file>
PUT /containers/web/archive <file>
PUT /containers/web/archive?path=/tmp nonsense
PUT /containers/nope/archive?path=/tmp <file>
HEAD /containers/web/archive?path=/tmp/hello
HEAD /containers/web/archive?path=/nope
GET /containers/web/archive?path=/tmp/hello
GET /containers/web/archive?path=/nope
GET /containers/web/archive
GET /containers/nope/archive?path=/tmp
GET /containers/web/changes
GET /containers/web/export
POST /commit?container=web&repo=made&tag=one&comment=c&author=me
POST /commit?container=nope
POST /commit?container=web&repo=BAD
DELETE /images/made:one?force=1
DELETE /containers/web
"""

IMAGES = """
GET /images/json
GET /images/json?all=1
GET /images/json?filters={"reference":["busy*"]}
GET /images/json?filters={"dangling":["true"]}
GET /images/json?filters={"dangling":["x"]}
GET /images/json?filters={"nope":["x"]}
GET /images/json?filters=nonsense
GET /images/json?filters={"before":["nope"]}
GET /images/busybox/json
GET /images/busybox:latest/json
GET /images/nope/json
GET /images/BAD:::name/json
GET /images/busybox/history
GET /images/nope/history
POST /images/busybox/tag?repo=other&tag=v1
POST /images/busybox/tag?repo=registry.local:5000/a/b&tag=v1
POST /images/busybox/tag?repo=BAD
POST /images/busybox/tag
POST /images/nope/tag?repo=other
GET /images/json?filters={"reference":["other:v1"]}
GET /images/registry.local:5000/a/b:v1/json
POST /images/nope/push
POST /images/create
POST /images/create?fromImage=
GET /images/get?names=nope
GET /images/nope/get
DELETE /images/nope
DELETE /images/other:v1
DELETE /images/registry.local:5000/a/b:v1?noprune=1
POST /containers/create?name=user {"Image":"busybox"}
DELETE /images/busybox
DELETE /containers/user
POST /images/prune?filters={"dangling":["true"]}
POST /images/prune?filters={"nope":["true"]}
POST /images/load nonsense
GET /images/search
GET /distribution/nope::bad/json
"""

BUILDS = """
POST /build?t=made:two&q=1 <context>
GET /images/made:two/json
DELETE /images/made:two
POST /build?t=made:two <no-dockerfile>
POST /build?t=BAD <context>
POST /build?t=made:two&rm=1&forcerm=1 <bad-context>
POST /build?t=made:two&dockerfile=nope <context>
POST /build?buildargs=nonsense <context>
POST /build?t=made:two nonsense
POST /build/prune
"""

NETWORKS = """
GET /networks
GET /networks?filters={"type":["custom"]}
GET /networks?filters={"type":["nope"]}
GET /networks?filters={"nope":["x"]}
GET /networks?filters=nonsense
GET /networks/bridge
GET /networks/host
GET /networks/nope
net <- POST /networks/create {"Name":"back","Driver":"bridge","Labels":{"a":"b"},"CheckDuplicate":true}
POST /networks/create {"Name":"back","CheckDuplicate":true}
POST /networks/create {"Name":""}
POST /networks/create {"Name":"x","Driver":"nope"}
POST /networks/create {"Name":"bad","IPAM":{"Config":[{"Subnet":"nonsense"}]}}
POST /networks/create nonsense
POST /networks/create {"Name":"host"}
POST /networks/create {"Name":"plain"}
GET /networks/plain
DELETE /networks/plain
GET /networks?filters={"label":["a=b"]}
GET /networks?filters={"name":["bac"]}
GET /networks?filters={"driver":["bridge"]}
GET /networks/back
GET /networks/$net
GET /networks/back?verbose=x
POST /containers/create?name=web {"Image":"busybox","Cmd":["sleep","100"],"StopSignal":"KILL"}
POST /networks/back/connect {"Container":"web","EndpointConfig":{"Aliases":["www"]}}
POST /networks/back/connect {"Container":"web"}
POST /networks/back/connect {"Container":"nope"}
POST /networks/back/connect {}
POST /networks/back/connect nonsense
POST /containers/web/start
GET /networks/back
GET /containers/web/json
DELETE /networks/back
POST /networks/back/disconnect {"Container":"web"}
POST /networks/back/disconnect {"Container":"web"}
POST /networks/back/disconnect {"Container":"nope"}
POST /networks/back/disconnect nonsense
DELETE /networks/back
DELETE /networks/back
DELETE /networks/bridge
POST /networks/prune
POST /networks/prune?filters={"nope":["x"]}
DELETE /containers/web?force=1
"""

VOLUMES = """
GET /volumes
GET /volumes?filters={"nope":["x"]}
GET /volumes?filters=nonsense
GET /volumes/nope
POST /volumes/create {"Name":"data","Labels":{"a":"b"}}
POST /volumes/create {"Name":"data"}
POST /volumes/create {"Name":"x","Driver":"nope"}
POST /volumes/create {"Name":"!bad"}
POST /volumes/create {"Name":"y","DriverOpts":{"nope":"x"}}
POST /volumes/create nonsense
POST /volumes/create {}
GET /volumes?filters={"name":["data"]}
GET /volumes?filters={"label":["a=b"]}
GET /volumes?filters={"dangling":["true"],"name":["data"]}
GET /volumes?filters={"driver":["local"],"name":["data"]}
GET /volumes/data
POST /containers/create?name=web {"Image":"busybox","HostConfig":{"Binds":["data:/data"]}}
GET /containers/web/json
DELETE /volumes/data
DELETE /volumes/data?force=1
DELETE /containers/web
DELETE /volumes/data
DELETE /volumes/data
DELETE /volumes/data?force=1
POST /volumes/prune
POST /volumes/prune?filters={"nope":["x"]}
"""

SYSTEM = """
GET /_ping
HEAD /_ping
POST /_ping
GET /nope
DELETE /info
POST /auth nonsense
POST /auth {}
GET /events?since=5&until=3
GET /events?until=x
GET /events?filters=nonsense&until=1
GET /events?since=1&until=2
GET /v1.99/containers/json
GET /v1.1/containers/json
GET /v1.24/containers/json
GET /v1.41/containers/json
GET /v1.41/_ping
"""

SCRIPTS = {
    "containers": CONTAINERS,
    "execs": EXECS,
    "files": FILES,
    "images": IMAGES,
    "builds": BUILDS,
    "networks": NETWORKS,
    "volumes": VOLUMES,
    "system": SYSTEM,
}
