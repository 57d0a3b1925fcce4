"""A stdio MCP server as a child process under its shim: lines in, lines out, and how it ended.

No shell is involved. The shim reports the server's end; the end of its standard output says less, because
a pipe stays open as long as any grandchild holds it.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

from connector.host import clock
from connector.process import shim
from connector.process.confinement import Confinement
from connector.process.environment import working_directory
from connector.wire.lines import LineSplitter, Oversized

STDERR_TAIL = 8 * 1024
WRITE_DEADLINE_S = 10.0
STDIN_CLOSED_GRACE_S = 1.0
TERMINATED_GRACE_S = 2.0
FINAL_OUTPUT_S = 0.05
READ_AHEAD = 1024 * 1024  # bytes of lines that have been read and not yet been consumed


class ServerStuck(Exception):
    """The server has not read its standard input for the write deadline."""


class StdioProcess(asyncio.SubprocessProtocol):
    """One server under its shim. `exited`: the server has ended. `ended`: the shim and the whole tree have.

    `excess`: `memory` in MiB or `processes`, and how much of it the tree used when it was killed for that.
    """

    def __init__(self, *, line_limit: int) -> None:
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.exit_signal: int | None = None
        self.exec_errno: int | None = None
        self.excess: tuple[str, int] | None = None
        self.exited = asyncio.Event()
        self.ended = asyncio.Event()
        self._spawned = asyncio.Event()
        self._stderr = b""
        self._splitter = LineSplitter(line_limit)
        self._lines: asyncio.Queue[bytes | Oversized | None] = asyncio.Queue()
        self._unread = 0
        self._is_paused = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.SubprocessTransport | None = None
        self._control: socket.socket | None = None

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        marker: str,
        confinement: Confinement,
        lease_s: float,
        line_limit: int,
    ) -> "StdioProcess":
        """Starts the shim, which starts the server. Raises OSError.

        `lease_s` are the seconds that the server may run until the first `heartbeat`.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        control = str(theirs.fileno())
        arguments = [control, str(os.getpid()), f"{lease_s:.3f}", marker, str(confinement), *command]
        loop = asyncio.get_running_loop()
        process = cls(line_limit=line_limit)
        try:
            await loop.subprocess_exec(
                lambda: process,
                # -I -S: neither the server's environment nor site-packages may change what the shim runs, and
                # it starts sooner.
                *(sys.executable, "-I", "-S", shim.__file__, *arguments),
                env=dict(env),
                cwd=working_directory(env),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the worker's terminal is not for the servers
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        process._control = ours
        loop.add_reader(ours, process._read_reports)
        return process

    async def spawned(self) -> bool:
        """Waits until the command runs; returns False with `exec_errno` if it could not be executed."""
        await self._spawned.wait()
        return self.pid is not None

    async def exits_within(self, seconds: float) -> bool:
        """Whether the server itself has ended by then; what it started may still be being killed."""
        return await _is_set_within(self.exited, seconds)

    @property
    def shim_pid(self) -> int | None:
        return self._transport.get_pid() if self._transport is not None else None

    @property
    def tree_is_gone(self) -> bool:
        """Whether the shim ended by itself: it does so only when nothing of the tree is left.

        A shim that was killed has not reported how the server ended.
        """
        reported = (self.exit_code, self.exit_signal, self.exec_errno)
        return self.ended.is_set() and reported != (None, None, None)

    @property
    def stderr_tail(self) -> str:
        # PostgreSQL stores no NUL in text.
        return self._stderr.decode(errors="replace").replace("\0", "\ufffd")

    async def lines(self) -> AsyncIterator[bytes | Oversized]:
        """Yields the lines of standard output until the server closes it or ends."""
        while (line := await self._lines.get()) is not None:
            self._unread -= _size(line)
            if self._is_paused and self._unread <= READ_AHEAD:
                self._is_paused = False
                self._stdout().resume_reading()
            yield line

    async def write(self, line: bytes) -> None:
        """Raises ServerStuck when the server does not read, BrokenPipeError when it has ended."""
        if self.ended.is_set() or self._transport is None:
            raise BrokenPipeError
        stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        stdin.write(line + b"\n")
        if not await _is_set_within(self._writable, WRITE_DEADLINE_S):
            raise ServerStuck

    def heartbeat(self, lease_s: float) -> None:
        """Extends the life of the server to so many seconds from now."""
        if self._control is not None:
            # A shim that has ended, or is frozen with a full buffer, has no use for the line.
            with suppress(OSError):
                self._control.send(f"{clock() + lease_s:.3f}\n".encode())

    def kill(self) -> None:
        """Has the shim kill the whole tree at once.

        A shim that has not installed its handlers yet ends by the signal, and has started nothing.
        """
        self._signal_shim(shim.KILL)

    def kill_for(self, excess: tuple[str, int]) -> None:
        """Kills the tree for what it uses: see `excess`."""
        self.excess = excess
        self.kill()

    async def stop(self, *, hard: bool = False) -> None:
        """Ends the whole tree: end of input, then SIGTERM, then SIGKILL; `hard` begins with the last.

        The MCP specification asks for this order (lifecycle, shutdown over stdio).
        """
        try:
            if not hard:
                self._close_stdin()
                if await _is_set_within(self.ended, STDIN_CLOSED_GRACE_S):
                    return
                self._signal_shim(signal.SIGTERM)
                if await _is_set_within(self.ended, TERMINATED_GRACE_S):
                    return
            self.kill()
            if not await _is_set_within(self.ended, TERMINATED_GRACE_S):
                # The shim itself hangs. The server dies with it; `orphans` finds what the server has started.
                self._signal_shim(signal.SIGKILL)
                await _is_set_within(self.ended, TERMINATED_GRACE_S)
        finally:
            self._close()

    # --- asyncio.SubprocessProtocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._stderr = (self._stderr + data)[-STDERR_TAIL:]
            return
        for line in self._splitter.feed(data):
            self._unread += _size(line)
            self._lines.put_nowait(line)
        # The pipe fills up then, and the server waits: a flood costs its own speed, not the worker's memory.
        if self._unread > READ_AHEAD and not self._is_paused:
            self._is_paused = True
            self._stdout().pause_reading()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._lines.put_nowait(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def process_exited(self) -> None:
        # The shim's last report may still be in the socket: asyncio may see the end of the process first.
        self._read_reports()
        self._spawned.set()
        self._writable.set()
        self.ended.set()
        self._server_exited()

    # --- the shim's reports -------------------------------------------------------------------------------

    def _read_reports(self) -> None:
        """Reads the lines that the shim has written: see its docstring."""
        try:
            data = self._control.recv(4096) if self._control else b""
        except OSError:  # nothing to read, or it was closed meanwhile
            return
        if not data:
            self._close_control()
        for line in data.decode().splitlines():
            self._apply_report(*line.split())

    def _apply_report(self, kind: str, number: str) -> None:
        match kind:
            case "pid":
                self.pid = int(number)
                self._spawned.set()
            case "exec":
                self.exec_errno = int(number)
            case "exit":
                self.exit_code = int(number)
                self._server_exited()
            case "signal":
                self.exit_signal = int(number)
                self._server_exited()

    def _server_exited(self) -> None:
        self.exited.set()
        # Its last lines may still be in the pipe, which a grandchild may keep open for ever.
        asyncio.get_running_loop().call_later(FINAL_OUTPUT_S, self._lines.put_nowait, None)

    # --- the pipes ----------------------------------------------------------------------------------------

    def _stdout(self) -> asyncio.ReadTransport:
        assert self._transport is not None  # noqa: S101 - data cannot come before the connection
        return cast(asyncio.ReadTransport, self._transport.get_pipe_transport(1))

    def _close_stdin(self) -> None:
        if self._transport is not None and (stdin := self._transport.get_pipe_transport(0)):
            stdin.close()

    def _signal_shim(self, number: signal.Signals) -> None:
        if self._transport is not None:
            with suppress(ProcessLookupError):
                self._transport.send_signal(number)

    def _close(self) -> None:
        self._close_control()
        if self._transport is not None:
            self._transport.close()

    def _close_control(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None


def _size(line: bytes | Oversized) -> int:
    """Returns the bytes of a line, with the 100 that even an empty one costs in memory."""
    return 100 + (len(line) if isinstance(line, bytes) else 0)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    if not event.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
    return event.is_set()
