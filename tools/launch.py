"""What a worker needs to run or reach a server, with its secrets decrypted."""

from dataclasses import dataclass, field
from pathlib import PurePath

from django.conf import settings

from tools import references
from tools.models import ConnectionType, MCPTool
from tools.secrets.encryption import Unreadable
from tools.secrets.masking import MASK, masked_args, masked_url
from tools.warnings import require_readable

SHORTEST_SECRET = 8
"""Shorter values (`debug`, `true`, a port) are words that a server may well print."""
_RUNNERS = {"npx", "uvx", "bunx", "pipx", "uv", "npm", "pnpm", "yarn", "bun"}


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """The fields are those of MCPTool, whose references to variables are filled from its `env`.

    `server_id` is 0 for a server that is not registered. `unfilled`: references that have no value.
    `asks_back`: it is marked, or was seen, as one that asks its client back.
    """

    server_id: int
    slug: str
    generation: int
    connection_type: str
    command: str
    args: list[str] = field(repr=False)
    env: dict[str, str] = field(repr=False)
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    start_timeout_s: float
    unfilled: list[str] = field(default_factory=list)
    asks_back: bool = False

    @property
    def install_limit_s(self) -> float:
        """Seconds that the command may take to install the server before it starts it: 0 for no runner."""
        is_runner = self.connection_type == ConnectionType.STDIO and PurePath(self.command).name in _RUNNERS
        return settings.MCP_INSTALL_TIMEOUT if is_runner else 0.0

    def redact(self, text: str) -> str:
        """Returns `text`, which the server may have written, without the secrets that it was given."""
        for secret in self._secrets():
            text = text.replace(secret, MASK)
        return text

    def _secrets(self) -> list[str]:
        given = [*self.env.values(), *self.headers.values()]
        if self.url != masked_url(self.url):
            given.append(self.url)
        given += [arg for arg, shown in zip(self.args, masked_args(self.args), strict=True) if arg != shown]
        # A server may print a part alone: the value of `--key=..`, or the token after `Bearer`.
        parts = {part for text in given for part in (text, *text.rpartition("=")[2:], *text.split())}
        # The longest first: replacing a part would leave the rest of the whole readable.
        return sorted((part for part in parts if len(part) >= SHORTEST_SECRET), key=len, reverse=True)


def read_launch_spec(server_id: int) -> LaunchSpec | None:
    """Returns the spec of a registered server, also of one marked as deleted; None for an unknown id."""
    row = MCPTool.objects.without_vectors().filter(pk=server_id).first()
    return launch_spec(row) if row else None


def launch_spec(row: MCPTool) -> LaunchSpec:
    """Returns the spec of a row, which need not be saved. Raises UndecryptableSecret."""
    require_readable(row)
    unfilled: dict[str, None] = {}

    def filled(text: str) -> str:
        text, without_value = references.fill(text, row.variables)
        unfilled.update(dict.fromkeys(without_value))
        return text

    # What its kind of connection does not use is left out where no key decrypts it.
    args = [] if isinstance(row.args, Unreadable) else [filled(arg) for arg in row.args]
    url = "" if isinstance(row.url, Unreadable) else filled(row.url)
    given = {} if isinstance(row.headers, Unreadable) else row.headers
    headers = {name: filled(value) for name, value in given.items()}
    return LaunchSpec(
        server_id=row.pk or 0,
        slug=row.slug,
        generation=row.generation,
        connection_type=row.connection_type,
        command=row.command,
        args=args,
        env=dict(row.variables),
        url=url,
        headers=headers,
        start_timeout_s=row.start_timeout_s,
        unfilled=list(unfilled),
        asks_back=row.asks_back or row.asked_back_at is not None,
    )
