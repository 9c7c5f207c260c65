"""How fast bytes go through a hijacked connection, compared with the same sockets joined directly.

    python contrib/bench/hijack.py [--mb 1000] [--unix]

One process plays the engine, another the client; the server in between runs in this one, as in the agent.
Printed are MB/s from client to engine (up), back (down), and in each direction at once (both).
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import tempfile
import threading
import time
from pathlib import Path

from aiohttp import web

from skep.engine import Engine
from skep.http import HttpServer, pump, take_over

BLOCK = bytes(2**18)
HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def dial(url: str) -> socket.socket:
    if url.startswith("unix://"):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(url.removeprefix("unix://"))
        return sock
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)))


def read_head(sock: socket.socket) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)


def receive(sock: socket.socket) -> int:
    buffer, total = bytearray(2**20), 0
    while count := sock.recv_into(buffer):
        total += count
    return total


def send(sock: socket.socket, total: int) -> None:
    for _ in range(total // len(BLOCK)):
        sock.sendall(BLOCK)
    sock.shutdown(socket.SHUT_WR)


def duplex(sock: socket.socket, total: int) -> int:
    sender = threading.Thread(target=send, args=(sock, total))
    sender.start()
    received = receive(sock)
    sender.join()
    return received


def run_engine(listener: socket.socket, ways: list[str], total: int) -> None:
    """Take one connection per way: `up` is received, `down` is sent, `both` is both."""
    for way in ways:
        sock, _ = listener.accept()
        read_head(sock)
        sock.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
        duplex(sock, 0 if way == "up" else total)
        sock.close()


def run_client(url: str, way: str, total: int) -> float:
    """Seconds until all bytes have gone one way, or both."""
    sock = dial(url)
    sock.sendall(HEAD)
    read_head(sock)
    started = time.perf_counter()
    received = duplex(sock, 0 if way == "down" else total)
    if way != "up" and received != total // len(BLOCK) * len(BLOCK):
        raise SystemExit(f"lost bytes: {received} of {total}")
    return time.perf_counter() - started


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1000, help="megabytes in each direction")
    parser.add_argument("--unix", action="store_true", help="unix sockets instead of TCP")
    options = parser.parse_args()
    total = options.mb * 10**6
    ways = ["up", "down", "both"]

    with tempfile.TemporaryDirectory() as folder:
        address = f"unix://{folder}/engine.sock" if options.unix else "tcp://127.0.0.1:0"
        listener = socket.socket(socket.AF_UNIX if options.unix else socket.AF_INET)
        listener.bind(str(Path(folder) / "engine.sock") if options.unix else ("127.0.0.1", 0))
        listener.listen()
        if not options.unix:
            address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        context = multiprocessing.get_context("fork")
        engine_process = context.Process(target=run_engine, args=(listener, [w for w in ways for _ in range(2)], total))
        engine_process.start()
        client = context.Pool(1)

        async with Engine(address) as engine:

            async def handler(request: web.Request) -> web.StreamResponse:
                upstream = await engine.hijack("POST", "/x", version="")
                taken = take_over(request)
                await pump(taken, upstream, linger=None)
                return taken

            app = web.Application()
            app.router.add_post("/x", handler)
            listen = f"unix://{folder}/s.sock" if options.unix else "127.0.0.1:0"
            async with HttpServer(app, [listen]) as server:
                for way in ways:
                    direct, joined = [
                        options.mb / await asyncio.to_thread(client.apply, run_client, (url, way, total))
                        for url in (address, server.urls[0])
                    ]
                    speeds = f"direct {direct:7.0f} MB/s, joined {joined:7.0f} MB/s"
                    print(f"{way:>5}: {speeds}, {joined / direct:.0%}")
        client.terminate()
        client.join()
        engine_process.join()
        listener.close()


if __name__ == "__main__":
    asyncio.run(main())
