"""One attempt to run or reach a server, and the diagnosis of how it ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import PurePath
from urllib.parse import urlsplit

from django.conf import settings

from connector.errors import (
    LoginRequired,
    NotForClients,
    ProtocolMismatch,
    SessionExpired,
    SessionLost,
    Unresponsive,
    VariableMissing,
)
from connector.lifecycle.diagnosis import Diagnosis, ExitInfo, ExitReason, diagnose, explain_start
from connector.lifecycle.startup_output import broken_npx_folder, last_line
from connector.lifecycle.unreachable import unreachable
from connector.process import npx_cache, orphans, run_as
from connector.process.confinement import Confinement
from connector.process.environment import server_environment
from connector.process.resource_monitor import ResourceLimits, ResourceMonitor
from connector.process.run_as import RunAsRefused
from connector.process.stdio import StdioProcess
from connector.process.stray_output import STRAY_LINE_LIMIT, StrayOutput
from connector.session import Asked, Authorization, Session, Streams, http_streams, sse_streams, stdio_streams
from core.message import Message, joined, told
from tools import references
from tools.launch import LaunchSpec
from tools.models import ConnectionType
from tools.outbound import egress
from tools.outbound.egress import AddressRefused
from tools.policy import CommandRefused, require_startable
from tools.secrets.encryption import UndecryptableSecret

EXIT_WAIT_S = 0.5


_REASONS: dict[type[BaseException], ExitReason] = {
    Unresponsive: ExitReason.UNRESPONSIVE,
    CommandRefused: ExitReason.COMMAND_NOT_ALLOWED,
    RunAsRefused: ExitReason.RUN_AS_REFUSED,
    AddressRefused: ExitReason.URL_NOT_ALLOWED,
    LoginRequired: ExitReason.LOGIN_REQUIRED,
    ProtocolMismatch: ExitReason.PROTOCOL_MISMATCH,
    SessionExpired: ExitReason.SESSION_EXPIRED,
    VariableMissing: ExitReason.MISSING_VARIABLE,
    NotForClients: ExitReason.MISCONFIGURED,
    UndecryptableSecret: ExitReason.UNREADABLE_SECRET,
}
"""Errors whose own text explains to people what is wrong."""


class Connection:
    """Used once. `lease_s` returns for how many seconds a process may live without a further heartbeat.

    Call `stop` before leaving `open` on purpose: leaving it otherwise counts as the server's end.
    """

    def __init__(
        self, spec: LaunchSpec, *, marker: str, lease_s: Callable[[], float], monitor: ResourceMonitor
    ) -> None:
        self.process: StdioProcess | None = None
        self.is_installing = False
        """Whether a package runner has not started the server yet."""
        self._is_stopping = False
        self._is_hard = False
        self._ended_by_itself = False
        self._spec = spec
        self._marker = marker
        self._lease_s = lease_s
        self._monitor = monitor
        self._stray = StrayOutput()
        self._authorization = Authorization(spec.server_id)

    @asynccontextmanager
    async def open(self, *, probe: bool, asked: Asked | None = None) -> AsyncIterator[Session]:
        """Runs or reaches the server, and opens a session. Raises what `diagnose` understands.

        The same task must enter and leave it. `probe`, `asked`: see `Session.open`.
        """
        async with self._streams() as streams, Session.open(streams, probe=probe, asked=asked) as session:
            yield session

    def stop(self, *, hard: bool) -> None:
        """Announces that `open` will be left. `hard` kills the process now instead of asking it to end."""
        self._is_stopping = True
        self._is_hard = self._is_hard or hard
        # At once: the session may wait for an answer, and would not leave `open` until that has come.
        if hard and self.process is not None:
            self.process.kill()

    def heartbeat(self, lease_s: float) -> None:
        if self.process is not None:
            self.process.heartbeat(lease_s)

    @property
    def is_refused(self) -> bool:
        """Whether the remote server's last answer was about our authorization, or its session."""
        return self._authorization.failure is not None

    @property
    def stderr_tail(self) -> str:
        return self._spec.redact(self.process.stderr_tail) if self.process is not None else ""

    def diagnose(self, error: BaseException | None, *, stage: str, lived_s: float) -> Diagnosis:
        """Returns why it ended. `stage`: `start` until the tools were listed, then `run`."""
        # The SDK's task groups may have turned a refused token into a lost connection.
        error = self._authorization.failure or error
        for kind, reason in _REASONS.items():
            if isinstance(error, kind):
                return Diagnosis(stage, reason, told(error))
        if self._stray.is_over_limit:
            return self._flooded(stage)
        if self.process is not None and self._ended_by_itself:
            return diagnose(self._exit_info(stage, lived_s))
        if isinstance(error, TimeoutError):
            return self._timed_out(stage)
        return self._lost(error, stage)

    def remove_broken_cache(self) -> str:
        """Removes the folder of npx's cache that the server's output calls broken. Returns it, or ""."""
        if self.process is None or PurePath(self._spec.command).name != "npx":
            return ""
        # As it was written: what shows it masks the values of the server's variables, its cache among them.
        folder = broken_npx_folder(self.process.stderr_tail) or broken_npx_folder(self._stray.tail)
        if not folder or not npx_cache.remove(folder, self._environment()):
            return ""
        return self._spec.redact(folder)

    def _environment(self) -> dict[str, str]:
        account = run_as.account()
        return server_environment(self._spec.env, home=account.pw_dir if account else None)

    def _lost(self, error: BaseException | None, stage: str) -> Diagnosis:
        origin = self._origin or Message("The server")
        if status := self._authorization.refused_with:
            message = Message("%(server)s answered with HTTP %(status)s.", server=origin, status=status)
            return Diagnosis(stage, ExitReason.UNREACHABLE, message)
        if isinstance(error, SessionLost):
            reason = ExitReason.UNREACHABLE if self.process is None else ExitReason.CRASHED
            return Diagnosis(stage, reason, told(error))
        return Diagnosis(stage, ExitReason.UNREACHABLE, unreachable(origin, error))

    def _streams(self) -> AbstractAsyncContextManager[Streams]:
        _require_filled(self._spec.unfilled)
        limit = settings.MCP_RESULT_LIMIT
        if self._spec.connection_type == ConnectionType.STDIO:
            return self._stdio(limit)
        return self._remote(limit)

    @asynccontextmanager
    async def _remote(self, limit: int) -> AsyncIterator[Streams]:
        # The transport checks the address again. Here the refusal reaches us: the SDK's SSE client and task
        # groups would turn it into an error of their own.
        await egress.addresses(egress.endpoint(self._spec.url))
        await self._authorization.prepare(self._spec.url)
        open_streams = sse_streams if self._spec.connection_type == ConnectionType.SSE else http_streams
        headers, auth = self._spec.headers, self._authorization
        async with open_streams(self._spec.url, headers, limit=limit, auth=auth) as streams:
            yield streams

    @asynccontextmanager
    async def _stdio(self, limit: int) -> AsyncIterator[Streams]:
        # The row may be older than the policy, or may have been written by SQL: no check at saving is enough.
        require_startable(self._spec.command, self._spec.env, self._spec.args)
        account = run_as.account()
        # A predecessor whose shim was killed may still run, and would make two processes of one slot.
        await asyncio.to_thread(orphans.kill_marked, self._marker)
        self.process = process = await StdioProcess.start(
            [self._spec.command, *self._spec.args],
            env=self._environment(),
            marker=self._marker,
            confinement=Confinement(settings.MCP_OPEN_FILES_LIMIT, account.pw_name if account else ""),
            lease_s=self._lease_s(),
            line_limit=limit,
        )
        limits = ResourceLimits(settings.MCP_MEMORY_LIMIT, settings.MCP_PROCESS_LIMIT)
        with self._monitor.watching(process, limits):
            try:
                if not await process.spawned():
                    raise SessionLost(Message("The command cannot be run."))
                async with stdio_streams(process, self._stray) as streams:
                    yield streams
            finally:
                # A server that ends closes its pipes a moment before its exit code is known.
                if not self._is_stopping:
                    self._ended_by_itself = await process.exits_within(EXIT_WAIT_S)
                await process.stop(hard=self._is_hard)
                if not process.tree_is_gone:
                    await asyncio.to_thread(orphans.kill_marked, self._marker)

    def _exit_info(self, stage: str, lived_s: float) -> ExitInfo:
        assert self.process is not None  # noqa: S101 - `diagnose` has checked it
        return ExitInfo(
            command=self._spec.command,
            stage=stage,
            lived_s=lived_s,
            code=self.process.exit_code,
            signal=self.process.exit_signal,
            exec_errno=self.process.exec_errno,
            excess=self.process.excess,
            stderr=self.stderr_tail,
            stray_stdout=self._spec.redact(self._stray.first),
            stdout=self._spec.redact(self._stray.tail),
        )

    def _flooded(self, stage: str) -> Diagnosis:
        first = repr(self._spec.redact(self._stray.first))
        message = Message(
            "The server wrote %(count)d lines in a row that are no messages, the first %(line)s.",
            count=STRAY_LINE_LIMIT,
            line=first,
        )
        return Diagnosis(stage, ExitReason.PROTOCOL_ERROR, message)

    def _timed_out(self, stage: str) -> Diagnosis:
        stdout = self._spec.redact(self._stray.tail)
        if stage == "start" and (found := explain_start(self.stderr_tail, stdout)):
            return Diagnosis(stage, *found)
        if self._stray.first:
            first = repr(self._spec.redact(self._stray.first))
            message = Message(
                "The server wrote %(line)s where the protocol belongs, and no answer.", line=first
            )
            return Diagnosis(stage, ExitReason.STRAY_STDOUT, message)
        if self.is_installing:
            limit_s, runner = settings.MCP_INSTALL_TIMEOUT, self._spec.command
            message = Message(
                "%(runner)s did not install the server within %(seconds)s s.", runner=runner, seconds=limit_s
            )
            said_last = last_line(self.stderr_tail)
            return Diagnosis(stage, ExitReason.START_TIMEOUT, joined(message, said_last))
        seconds = f"{self._spec.start_timeout_s:g}"
        message = Message("The server was not ready within %(seconds)s s.", seconds=seconds)
        return Diagnosis(stage, ExitReason.START_TIMEOUT, message)

    @property
    def _origin(self) -> str:
        """The URL without its path and query, which may hold secrets; empty for a local server."""
        if not self._spec.url:
            return ""
        parts = urlsplit(self._spec.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _require_filled(unfilled: list[str]) -> None:
    """Raises NotForClients or VariableMissing, which name what has no value."""
    written = ", ".join(f"${{{each}}}" for each in unfilled)
    if any(map(references.is_clients, unfilled)):
        raise NotForClients(
            Message(
                "Only an MCP client knows what stands for %(reference)s: write a value in its place.",
                reference=written,
            )
        )
    if unfilled:
        raise VariableMissing(
            Message(
                "The server's settings name %(reference)s, and its environment has no such variable.",
                reference=written,
            )
        )
