"""What a worker needs to run or reach a server, secrets decrypted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tools.models import MCPTool
from tools.secrets.masking import MASK, masked_args, masked_url

SHORTEST_SECRET = 8
"""Shorter values (`debug`, `true`, a port) are words that a server may well say."""


@dataclass(frozen=True, slots=True)
class LaunchSpec:
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

    def redact(self, text: str) -> str:
        """`text`, as the server may have said it, without the secrets that it was given."""
        for secret in self._secrets():
            text = text.replace(secret, MASK)
        return text

    def _secrets(self) -> list[str]:
        given = [*self.env.values(), *self.headers.values()]
        if self.url != masked_url(self.url):
            given.append(self.url)
        given += [arg for arg, shown in zip(self.args, masked_args(self.args), strict=True) if arg != shown]
        parts = {part for text in given for part in (text, *text.rpartition("=")[2:], *text.split())}
        return sorted((part for part in parts if len(part) >= SHORTEST_SECRET), key=len, reverse=True)


def launch_specs(server_ids: Iterable[int]) -> dict[int, LaunchSpec]:
    rows = MCPTool.objects.filter(pk__in=list(server_ids))
    return {row.pk: launch_spec(row) for row in rows}


def launch_spec(row: MCPTool) -> LaunchSpec:
    """Also of a row that is not saved: its `server_id` is 0."""
    return LaunchSpec(
        server_id=row.pk or 0,
        slug=row.slug,
        generation=row.generation,
        connection_type=row.connection_type,
        command=row.command,
        args=row.args,
        env=row.env,
        url=row.url,
        headers=row.headers,
        start_timeout_s=row.start_timeout_s,
    )
