"""One attempt to run or reach a server, and what is known of how it went."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from django.conf import settings

from connector.errors import LoginRequired, ProtocolMismatch, SessionExpired, SessionLost, Unresponsive
from connector.lifecycle.failures import Ending, ExitClass, Failure, classify
from connector.process import orphans, run_as
from connector.process.confinement import Confinement
from connector.process.environment import server_environment
from connector.process.resource_monitor import ResourceLimits, ResourceMonitor
from connector.process.run_as import RunAsRefused
from connector.process.stdio import StdioProcess
from connector.process.stray_output import STRAY_LINE_LIMIT, StrayOutput
from connector.session import Authorization, Session, Streams, http_streams, sse_streams, stdio_streams
from tools.launch import LaunchSpec
from tools.models import ConnectionType
from tools.outbound import egress
from tools.outbound.egress import AddressRefused
from tools.policy import CommandRefused, require_startable

EXIT_WAIT_S = 0.5
_TELLING = {
    Unresponsive: ExitClass.UNRESPONSIVE,
    CommandRefused: ExitClass.COMMAND_NOT_ALLOWED,
    RunAsRefused: ExitClass.RUN_AS_REFUSED,
    AddressRefused: ExitClass.URL_NOT_ALLOWED,
    LoginRequired: ExitClass.LOGIN_REQUIRED,
    ProtocolMismatch: ExitClass.PROTOCOL_MISMATCH,
    SessionExpired: ExitClass.SESSION_EXPIRED,
}
"""Errors that say by themselves what is wrong."""


class Connection:
    """Used once. `lease_s` tells for how long a process may live without a further `beat`.

    Call `stop` before leaving `open` on purpose.
    """

    def __init__(
        self, spec: LaunchSpec, *, mark: str, lease_s: Callable[[], float], monitor: ResourceMonitor
    ) -> None:
        self.process: StdioProcess | None = None
        self._stopping = False
        self._hard = False
        self._ended_by_itself = False
        self._spec = spec
        self._mark = mark
        self._lease_s = lease_s
        self._monitor = monitor
        self._noise = StrayOutput()
        self._authorization = Authorization(spec.server_id)

    @asynccontextmanager
    async def open(self, *, probe: bool) -> AsyncIterator[Session]:
        """Raises what `explain` understands. Enter and leave it in one task."""
        async with self._streams() as streams, Session.open(streams, probe=probe) as session:
            yield session

    def stop(self, *, hard: bool) -> None:
        """`hard`: kill the process now, and leave without waiting for the server."""
        self._stopping = True
        self._hard = self._hard or hard
        if hard and self.process is not None:
            self.process.kill()

    def beat(self, lease_s: float) -> None:
        if self.process is not None:
            self.process.heartbeat(lease_s)

    @property
    def stderr_tail(self) -> str:
        return self._spec.redact(self.process.stderr_tail) if self.process is not None else ""

    def explain(self, error: BaseException | None, *, stage: str, lived_s: float) -> Failure:
        """Why it ended. `stage`: `start` until the tools were listed, then `run`."""
        error = self._authorization.failure or error
        for kind, exit_class in _TELLING.items():
            if isinstance(error, kind):
                return Failure(stage, exit_class, str(error))
        if self._noise.is_over_limit:
            return self._flooded(stage)
        if self.process is not None and self._ended_by_itself:
            return classify(self._ending(stage, lived_s))
        if isinstance(error, TimeoutError):
            return self._timed_out(stage)
        if isinstance(error, SessionLost):
            return Failure(
                stage, ExitClass.UNREACHABLE if self.process is None else ExitClass.CRASHED, str(error)
            )
        return Failure(stage, ExitClass.UNREACHABLE, f"{self._where} cannot be reached{_because(error)}.")

    def _streams(self) -> AbstractAsyncContextManager[Streams]:
        limit = settings.MCP_RESULT_LIMIT
        if self._spec.connection_type == ConnectionType.STDIO:
            return self._stdio(limit)
        return self._remote(limit)

    @asynccontextmanager
    async def _remote(self, limit: int) -> AsyncIterator[Streams]:
        await egress.addresses(egress.endpoint(self._spec.url))  # the SDK would hide a refusal
        await self._authorization.prepare(self._spec.url)
        open_streams = sse_streams if self._spec.connection_type == ConnectionType.SSE else http_streams
        headers, auth = self._spec.headers, self._authorization
        async with open_streams(self._spec.url, headers, limit=limit, auth=auth) as streams:
            yield streams

    @asynccontextmanager
    async def _stdio(self, limit: int) -> AsyncIterator[Streams]:
        require_startable(self._spec.command, self._spec.env)
        account = run_as.account()
        await asyncio.to_thread(orphans.kill_marked, self._mark)
        self.process = process = await StdioProcess.start(
            [self._spec.command, *self._spec.args],
            env=server_environment(self._spec.env, home=account.pw_dir if account else None),
            marker=self._mark,
            confinement=Confinement(settings.MCP_OPEN_FILES_LIMIT, account.pw_name if account else ""),
            lease_s=self._lease_s(),
            line_limit=limit,
        )
        try:
            if not await process.spawned():
                raise SessionLost("The command cannot be run.")
            limits = ResourceLimits(settings.MCP_MEMORY_LIMIT, settings.MCP_PROCESS_LIMIT)
            with self._monitor.watching(process, limits):
                async with stdio_streams(process, self._noise) as streams:
                    yield streams
        finally:
            if not self._stopping:  # a server that ended closes its pipes a moment before it is gone
                self._ended_by_itself = await process.exits_within(EXIT_WAIT_S)
            await process.stop(hard=self._hard)
            if not process.tree_is_gone:
                await asyncio.to_thread(orphans.kill_marked, self._mark)

    def _ending(self, stage: str, lived_s: float) -> Ending:
        assert self.process is not None  # noqa: S101 - `explain` has looked
        return Ending(
            command=self._spec.command,
            stage=stage,
            lived_s=lived_s,
            code=self.process.exit_code,
            signal=self.process.exit_signal,
            exec_errno=self.process.exec_errno,
            excess=self.process.excess,
            stderr=self.stderr_tail,
            noise=self._spec.redact(self._noise.first),
        )

    def _flooded(self, stage: str) -> Failure:
        noise = self._spec.redact(self._noise.first)
        message = (
            f"The server wrote {STRAY_LINE_LIMIT} lines in a row that are no messages, the first {noise!r}."
        )
        return Failure(stage, ExitClass.PROTOCOL_ERROR, message)

    def _timed_out(self, stage: str) -> Failure:
        if self._noise.first:
            noise = self._spec.redact(self._noise.first)
            message = f"The server wrote {noise!r} where the protocol belongs, and no answer."
            return Failure(stage, ExitClass.NOISE_ON_STDOUT, message)
        message = f"The server was not ready within {self._spec.start_timeout_s:g} s."
        return Failure(stage, ExitClass.START_TIMEOUT, message)

    @property
    def _where(self) -> str:
        """Without path and query, which may hold secrets."""
        parts = urlsplit(self._spec.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _because(error: BaseException | None) -> str:
    """The innermost cause's kind: its text may hold an address with secrets in it."""
    return f" ({type(error).__name__})" if error is not None else ""
