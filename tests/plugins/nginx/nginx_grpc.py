"""Servers and clients of gRPC, of every kind of call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc.aio
import pytest

from tests.plugins.nginx.nginx_certificates import Authority

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]

# Else the last channel that is collected as garbage, in whatever test that happens, waits there for a thread of gRPC's to end, which blocks
# the loop under whoever runs just then.
grpc.aio.init_grpc_aio()


async def _say(message: bytes, context: Context) -> bytes:
    told = dict(context.invocation_metadata() or ())
    if message == b"fail":
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as you wish", (("why", "asked"),))
    if message == b"sleep":
        await asyncio.sleep(60)
    context.set_trailing_metadata((("counted", str(len(message))),))
    return f"{told.get('x-forwarded-proto')} {told.get('x-real-ip')}: ".encode() + message


async def _count(message: bytes, context: Context) -> AsyncIterator[bytes]:
    for number in range(int(message)):
        yield str(number).encode()


async def _talk(messages: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """An answer to each message before the next one comes, and one more after the client has ended its side."""
    async for message in messages:
        yield b"re: " + message
    yield b"bye"


@contextlib.asynccontextmanager
async def talking(secure: Authority | None = None) -> AsyncIterator[int]:
    """Service `test.Talk`; by TLS if there is an authority for it."""
    server = grpc.aio.server()
    methods = {
        "Say": grpc.unary_unary_rpc_method_handler(_say),
        "Count": grpc.unary_stream_rpc_method_handler(_count),
        "Talk": grpc.stream_stream_rpc_method_handler(_talk),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Talk", methods),))
    if secure:
        certificate, key = secure.issue("container.invalid")
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@contextlib.asynccontextmanager
async def channel(port: int, host: str, authority: Authority | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """To `host` at nginx; by TLS if there is an authority to trust, else by HTTP/2 without."""
    where = f"127.0.0.1:{port}"
    if authority is None:
        options = [("grpc.default_authority", host)]
        made = grpc.aio.insecure_channel(where, options=options)
    else:
        credentials = grpc.ssl_channel_credentials(authority.pem)
        options = [("grpc.ssl_target_name_override", host)]
        made = grpc.aio.secure_channel(where, credentials, options=options)
    async with made:
        yield made


async def say(to: grpc.aio.Channel, message: bytes, timeout: float = 10.0) -> tuple[bytes, dict[str, Any]]:
    """One call: its answer, and the metadata after it. Raises grpc.aio.AioRpcError."""
    call = to.unary_unary("/test.Talk/Say")(message, timeout=timeout)
    return await call, dict(await call.trailing_metadata())


async def all_kinds_of_calls(to: grpc.aio.Channel, scheme: str) -> None:
    """A call, a failure, a deadline, a stream of answers, and a talk both ways."""
    answer, after = await say(to, b"hello")
    assert answer == f"{scheme} 127.0.0.1: hello".encode()
    assert after["counted"] == "5"
    with pytest.raises(grpc.aio.AioRpcError, match="as you wish") as failed:
        await say(to, b"fail")
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert dict(failed.value.trailing_metadata() or ())["why"] == "asked"
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await say(to, b"sleep", timeout=0.5)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    counted = [each async for each in to.unary_stream("/test.Talk/Count")(b"1000", timeout=10)]
    assert counted == [str(number).encode() for number in range(1000)]
    talk = to.stream_stream("/test.Talk/Talk")(timeout=10)
    for number in range(3):
        await talk.write(b"%d" % number)
        assert await talk.read() == b"re: %d" % number
    await talk.done_writing()  # the client's half is closed, and it still hears
    assert await talk.read() == b"bye"
    assert await talk.code() is grpc.StatusCode.OK
