"""What a file may say. An entry says all about its object: what it leaves out has its default."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from apikeys.models import EventType
from assistants.models import Approver, Assistant, Effect, Provider
from tools.models import Approval, ConnectionType, Label

VERSION = 1


def _one_of(values: Iterable[str]) -> Callable[[str], str]:
    known = list(values)

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"There is no {value[:64]!r}. There are: {', '.join(known)}.")
        return value

    return check


def _in_order(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise ValueError("Name each once.")
    return sorted(values)


Name = Annotated[str, StringConstraints(strip_whitespace=True)]
Kind = Annotated[str, AfterValidator(_one_of(Provider.Kind.values))]
Connection = Annotated[str, AfterValidator(_one_of(ConnectionType.values))]
Approving = Annotated[str, AfterValidator(_one_of(Approval.values))]
Selecting = Annotated[str, AfterValidator(_one_of(Assistant.Selection.values))]
Rendering = Annotated[str, AfterValidator(_one_of(Assistant.Rendering.values))]
Effects = Annotated[str, AfterValidator(_one_of(Effect.values))]
Approvers = Annotated[str, AfterValidator(_one_of(Approver.values))]
LabelName = Annotated[str, AfterValidator(_one_of(Label.values))]
EventName = Annotated[str, AfterValidator(_one_of(EventType.values))]
ToolName = Annotated[str, Field(min_length=1, max_length=255)]
Names = Annotated[list[str], AfterValidator(_in_order)]
KeyNames = Annotated[list[Name], AfterValidator(_in_order)]


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ProviderEntry(_Entry):
    name: Name
    kind: Kind = "openai"
    base_url: str = ""
    api_key: str = ""
    default_model: str
    fetch_images: bool = False


class ToolEntry(_Entry):
    """`name`, `description`: used instead of its own. `approved`: the hash of the approved definition."""

    is_enabled: bool = True
    name: str = ""
    description: str = ""
    labels: Annotated[list[LabelName], AfterValidator(_in_order)] | None = None
    approved: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""


class ServerEntry(_Entry):
    slug: str
    name: Name
    description: str = ""
    connection_type: Connection
    command: str = ""
    args: list[str] = []
    env: dict[str, str] = {}
    url: str = ""
    headers: dict[str, str] = {}
    start_timeout_s: float = 30
    call_timeout_s: float = 60
    approval: Approving = "auto"
    labels: Annotated[list[LabelName], AfterValidator(_in_order)] = []
    is_enriched: bool = False
    asks_back: bool = False
    is_enabled: bool = True
    replicas: int = 1
    tools: dict[ToolName, ToolEntry] = {}


class UseEntry(_Entry):
    """A server that an assistant uses, with all of its tools where `functions` is left out."""

    server: str
    functions: Names | None = None
    pinned: Names = []


class AssistantEntry(_Entry):
    slug: str
    name: Name
    aliases: Names = []
    description: str = ""
    system_prompt: str = ""
    provider: Name = ""
    model: str = ""
    fallback_provider: Name = ""
    fallback_model: str = ""
    parameters: dict[str, JsonValue] = {}
    max_rounds: int = 10
    selection: Selecting = "all"
    top_k: int = 10
    schema_token_budget: int | None = None
    learns: bool = True
    store_bodies: bool = False
    masks_secrets: bool = False
    rendering: Rendering = "none"
    is_enabled: bool = True
    tools: list[UseEntry] = []
    api_keys: KeyNames = []


class KeyEntry(_Entry):
    name: Name
    can_manage: bool = False
    can_call_assistant: bool = True
    can_approve: bool = False
    is_disabled: bool = False
    expires_at: AwareDatetime | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    tokens_per_month: int | None = None
    allowed_networks: list[str] = []


class WebhookEntry(_Entry):
    name: Name
    url: str
    events: Annotated[list[EventName], AfterValidator(_in_order)]
    is_enabled: bool = True


class WhenEntry(_Entry):
    """`servers` by slug, `functions` by public name."""

    servers: list[str] | None = None
    functions: list[str] | None = None
    annotations: dict[str, bool] | None = None
    labels: list[LabelName] | None = None
    end_users: list[str] | None = None
    expression: str | None = None


class RuleEntry(_Entry):
    """`assistant` or `api_key`: whose calls it is for; without both, all. Rules stand in their order."""

    name: Name
    assistant: str = ""
    api_key: Name = ""
    when: WhenEntry = WhenEntry()
    then: Effects
    approver: Approvers = "staff"
    reason: str = ""
    mask: list[str] = []
    is_enabled: bool = True

    @model_validator(mode="after")
    def refuse_what_would_be_dropped(self) -> Self:
        if self.assistant and self.api_key:
            raise ValueError("A rule is for one assistant or for one key.")
        if self.approver != Approver.STAFF and self.then != Effect.ASK:
            raise ValueError("Only a rule that asks has an approver.")
        if self.mask and self.then != Effect.MASK:
            raise ValueError("Only a rule that masks has paths.")
        return self


class Document(_Entry):
    """A section that is left out leaves its objects alone, with `--prune`, too."""

    version: Literal[1]
    providers: list[ProviderEntry] | None = None
    servers: list[ServerEntry] | None = None
    api_keys: list[KeyEntry] | None = None
    assistants: list[AssistantEntry] | None = None
    webhooks: list[WebhookEntry] | None = None
    rules: list[RuleEntry] | None = None


SECTIONS = ("providers", "servers", "api_keys", "assistants", "webhooks", "rules")
"""In the order in which they are applied: each refers to those before it alone."""


def defaults(entry: type[BaseModel]) -> dict[str, Any]:
    """Returns the values that an export leaves out."""
    fields = {name: field for name, field in entry.model_fields.items() if not field.is_required()}
    usual = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    return {
        name: value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value
        for name, value in usual.items()
    }
