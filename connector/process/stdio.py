"""A stdio MCP server as a child process, under its guard: lines in, lines out, and how it ended.

The server's environment is built from nothing and no shell is involved. Its end is told by the process: a
pipe stays open as long as any grandchild holds it.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from connector.host import clock
from connector.process import shim
from connector.process.confinement import Confinement
from connector.wire.lines import LineSplitter, Oversized

STDERR_KEPT = 8 * 1024
WRITE_DEADLINE_S = 10.0
STDIN_CLOSED_GRACE_S = 1.0
TERMINATED_GRACE_S = 2.0
LAST_WORDS_S = 0.05
READ_AHEAD = 1024 * 1024  # bytes of lines that nobody has taken yet


class ServerStuck(Exception):
    """The server has not read its standard input for the write deadline."""


def environment(own: Mapping[str, str], *, home: str | None = None) -> dict[str, str]:
    """What a server is given: commands installed beside our interpreter are found first.

    `home`: of the user whom it runs as, if that is not ours.
    """
    beside_us = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    if home is not None:
        kept["HOME"] = home
    return {"PATH": f"{beside_us}{os.pathsep}{path}", **kept, **own}


class StdioProcess(asyncio.SubprocessProtocol):
    """One guarded server. `exited`: it has ended. `ended`: its guard and the whole tree have.

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
        self._ahead = 0
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
        mark: str,
        confinement: Confinement,
        lease_s: float,
        line_limit: int,
    ) -> "StdioProcess":
        """`lease_s`: for how long it may run until the first `beat`. Raises OSError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        control = str(theirs.fileno())
        arguments = [control, str(os.getpid()), f"{lease_s:.3f}", mark, str(confinement), *command]
        loop = asyncio.get_running_loop()
        process = cls(line_limit=line_limit)
        try:
            await loop.subprocess_exec(
                lambda: process,
                *(sys.executable, "-I", "-S", shim.__file__, *arguments),
                env=dict(env),
                cwd=_folder(env),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
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
        loop.add_reader(ours, process._hear)
        return process

    async def spawned(self) -> bool:
        """Whether the command could be executed at all; false leaves `exec_errno`."""
        await self._spawned.wait()
        return self.pid is not None

    async def exits_within(self, seconds: float) -> bool:
        """The server itself; what it started may still be being killed."""
        return await _is_set_within(self.exited, seconds)

    @property
    def guard_pid(self) -> int | None:
        return self._transport.get_pid() if self._transport is not None else None

    @property
    def tree_is_gone(self) -> bool:
        """As far as the guard told: it reports the server's end, and ends only when nothing is left."""
        reported = (self.exit_code, self.exit_signal, self.exec_errno)
        return self.ended.is_set() and reported != (None, None, None)

    @property
    def stderr_tail(self) -> str:
        return self._stderr.decode(errors="replace").replace("\0", "\ufffd")

    async def lines(self) -> AsyncIterator[bytes | Oversized]:
        """What the server writes to standard output, until it closes it or ends."""
        while (line := await self._lines.get()) is not None:
            self._ahead -= _size(line)
            if self._is_paused and self._ahead <= READ_AHEAD:
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

    def beat(self, lease_s: float) -> None:
        """Let the server live for this many seconds more."""
        if self._control is not None:
            with suppress(OSError):
                self._control.send(f"{clock() + lease_s:.3f}\n".encode())

    def kill(self) -> None:
        """Have the whole tree killed at once. A guard that has not begun ends by it, and starts nothing."""
        self._signal_guard(shim.KILL)

    def kill_for(self, excess: tuple[str, int]) -> None:
        self.excess = excess
        self.kill()

    async def stop(self, *, hard: bool = False) -> None:
        """End of input, then SIGTERM, then SIGKILL, for the whole tree; `hard` begins with the last."""
        try:
            if not hard:
                self._close_stdin()
                if await _is_set_within(self.ended, STDIN_CLOSED_GRACE_S):
                    return
                self._signal_guard(signal.SIGTERM)
                if await _is_set_within(self.ended, TERMINATED_GRACE_S):
                    return
            self.kill()
            if not await _is_set_within(self.ended, TERMINATED_GRACE_S):
                self._signal_guard(signal.SIGKILL)
                await _is_set_within(self.ended, TERMINATED_GRACE_S)
        finally:
            self._close()

    # --- asyncio.SubprocessProtocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._stderr = (self._stderr + data)[-STDERR_KEPT:]
            return
        for line in self._splitter.feed(data):
            self._ahead += _size(line)
            self._lines.put_nowait(line)
        if self._ahead > READ_AHEAD and not self._is_paused:
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
        self._hear()
        self._spawned.set()
        self._writable.set()
        self.ended.set()
        self._server_exited()

    # --- the rest -----------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """What the guard reports: see its docstring."""
        try:
            said = self._control.recv(4096) if self._control else b""
        except OSError:
            return
        if not said:
            self._close_control()
        for line in said.decode().splitlines():
            self._note(*line.split())

    def _note(self, what: str, number: str) -> None:
        match what:
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
        """Its lines do not end at once: what it wrote last may still be in the pipe."""
        self.exited.set()
        asyncio.get_running_loop().call_later(LAST_WORDS_S, self._lines.put_nowait, None)

    def _stdout(self) -> asyncio.ReadTransport:
        assert self._transport is not None  # noqa: S101 - data cannot come before the connection
        return cast(asyncio.ReadTransport, self._transport.get_pipe_transport(1))

    def _close_stdin(self) -> None:
        if self._transport is not None and (stdin := self._transport.get_pipe_transport(0)):
            stdin.close()

    def _signal_guard(self, number: signal.Signals) -> None:
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


def _folder(env: Mapping[str, str]) -> str:
    """Where it is started: its user's home, if there is one."""
    home = env.get("HOME")
    return home if home and Path(home).is_dir() else tempfile.gettempdir()


def _size(line: bytes | Oversized) -> int:
    """With what an empty line costs in memory."""
    return 100 + (len(line) if isinstance(line, bytes) else 0)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    if not event.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
