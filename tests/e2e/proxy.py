"""A bad network: a TCP proxy that delays, throttles, and resets connections after so many bytes.

python -m tests.e2e.proxy 8081 127.0.0.1:8080 --latency 0.3 --rate 8000 --reset 20000 200000
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

AT_ONCE = 64 * 1024
SLOWLY = 1024
"""Bytes that go on together, without a limit of speed and with one."""
KBIT_S = 1000 // 8
RESET = struct.pack("ii", 1, 0)
"""Linger for no time: whoever closes, resets."""


@dataclass(slots=True)
class BadNetwork:
    """One way to one server. Its faults can be changed while it works: connections that are made later have them."""

    host: str
    port: int
    latency_s: float = 0.0
    """One way."""
    bytes_per_s: int = 0
    """Each way; 0 is no limit."""
    reset_after: Callable[[], int] | None = None
    """How many bytes of both ways a new connection lives."""
    sent: int = 0
    received: int = 0
    resets: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", port)

    async def close(self) -> None:
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()  # nobody listens there, or the network is taken down
        finally:
            self._open.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self.host, self.port)
        line = _Line(self, self.reset_after() if self.reset_after else None)
        ways = [
            asyncio.create_task(line.carry(reader, back, is_sent=True)),
            asyncio.create_task(line.carry(there, writer, is_sent=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for way in ways:
                way.cancel()
            results = await asyncio.gather(*ways, return_exceptions=True)
            self.resets += any(isinstance(result, _Reset) for result in results)
            for side in (writer, back):
                if any(result is not None for result in results):
                    side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                side.transport.abort()


class _Reset(Exception):
    """The connection has lived long enough."""


@dataclass(slots=True)
class _Line:
    """One connection."""

    network: BadNetwork
    left: int | None

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_sent: bool) -> None:
        """What comes in at one end goes out at the other, in its time."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        arriving = asyncio.create_task(self._arrive(on_the_way, writer))
        try:
            await self._depart(reader, on_the_way, is_sent=is_sent)
            await arriving
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)

    async def _depart(
        self, reader: asyncio.StreamReader, on_the_way: asyncio.Queue[tuple[float, bytes]], *, is_sent: bool
    ) -> None:
        network, free_at = self.network, 0.0
        loop = asyncio.get_running_loop()
        while chunk := await reader.read(SLOWLY if network.bytes_per_s else AT_ONCE):
            chunk, is_over = self._spent(chunk)
            network.sent += len(chunk) * is_sent
            network.received += len(chunk) * (not is_sent)
            free_at = max(free_at, loop.time())
            if network.bytes_per_s:
                free_at += len(chunk) / network.bytes_per_s
                await asyncio.sleep(free_at - loop.time())
            await on_the_way.put((free_at + network.latency_s, chunk))
            if is_over:
                await on_the_way.join()
                raise _Reset
        await on_the_way.put((0.0, b""))

    async def _arrive(self, on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_at, chunk = await on_the_way.get()
            if not chunk:
                with suppress(OSError):
                    writer.write_eof()
                return
            if due_at > loop.time():
                await asyncio.sleep(due_at - loop.time())
            writer.write(chunk)
            await writer.drain()
            on_the_way.task_done()

    def _spent(self, chunk: bytes) -> tuple[bytes, bool]:
        """As much of it as this connection lives to carry, and whether that is its end."""
        if self.left is None:
            return chunk, False
        chunk = chunk[: self.left]
        self.left -= len(chunk)
        return chunk, self.left == 0


@contextmanager
def bad_network(address: str) -> Iterator[tuple[str, BadNetwork]]:
    """The address of a way to this server, in a thread of its own; at first nothing is wrong with it."""
    parts = urlsplit(address)
    network = BadNetwork(str(parts.hostname), int(parts.port or 80))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(network.serve(0), loop).result(10)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", network
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(network.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.proxy", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("to", help="host:port of the server")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds, one way")
    parser.add_argument("--rate", type=int, default=0, help="bytes a second, each way; 8000 is 64 kbit/s")
    parser.add_argument("--reset", type=int, nargs=2, metavar=("LEAST", "MOST"), help="bytes that a connection lives")
    asked = parser.parse_args()
    host, _colon, port = asked.to.rpartition(":")
    network = BadNetwork(host, int(port), asked.latency, asked.rate)
    if asked.reset:
        network.reset_after = lambda: random.randint(*asked.reset)

    async def run() -> None:
        async with await network.serve(asked.port) as server:
            await server.serve_forever()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
