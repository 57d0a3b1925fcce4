"""What a worker needs to run or reach a server, secrets decrypted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tools.models import MCPTool


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    server_id: int
    slug: str
    generation: int
    restart_requested_at: datetime | None
    connection_type: str
    command: str
    args: list[str] = field(repr=False)
    env: dict[str, str] = field(repr=False)
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    start_timeout_s: float
    call_timeout_s: float


def launch_specs(server_ids: Iterable[int]) -> dict[int, LaunchSpec]:
    rows = MCPTool.objects.filter(pk__in=list(server_ids))
    return {row.pk: _spec(row) for row in rows}


def _spec(row: MCPTool) -> LaunchSpec:
    return LaunchSpec(
        server_id=row.pk,
        slug=row.slug,
        generation=row.generation,
        restart_requested_at=row.restart_requested_at,
        connection_type=row.connection_type,
        command=row.command,
        args=row.args,
        env=row.env,
        url=row.url,
        headers=row.headers,
        start_timeout_s=row.start_timeout_s,
        call_timeout_s=row.call_timeout_s,
    )
