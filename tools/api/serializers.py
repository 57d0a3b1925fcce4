"""Serializers of MCP servers and their tools. Secrets are shown masked; a mask sent back changes nothing."""

from typing import Any

from rest_framework import serializers

from core.api.serializers import NullFreeCharField, StrictSerializer
from tools.models import Approval, ConnectionType, Label, MCPTool, Status
from tools.validation import LONGEST_DESCRIPTION, LONGEST_OVERRIDES, LONGEST_TEXT, LONGEST_URL

SECRETS = MCPTool.secret_fields()


class TimeoutsSerializer(StrictSerializer):
    start_s = serializers.FloatField(required=False, min_value=1, max_value=300, source="start_timeout_s")
    call_s = serializers.FloatField(required=False, min_value=1, max_value=600, source="call_timeout_s")


class ServerErrorSerializer(serializers.Serializer[Any]):
    """Why a server does not run as it should, and what to do about it."""

    stage = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()
    at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": serializers.CharField()}


class _MaskedField:
    """A setting with secrets, shown masked, or as unreadable where no key decrypts it."""

    field_name: Any

    def to_representation(self, value: Any) -> Any:
        return SECRETS[self.field_name].masked(value)


class ArgumentsField(_MaskedField, serializers.ListField):
    pass


class AddressField(_MaskedField, NullFreeCharField):
    pass


class TextsField(_MaskedField, serializers.DictField):
    """An object of strings. Its values are masked in answers."""

    def __init__(self, **kwargs: Any) -> None:
        child = NullFreeCharField(allow_blank=True, max_length=LONGEST_TEXT)
        super().__init__(child=child, required=False, help_text="Values are masked in answers.", **kwargs)


class ConnectionSerializer(StrictSerializer):
    """How to start or reach a server: the fields that a connection test needs."""

    connection_type = serializers.ChoiceField(ConnectionType.choices)
    command = NullFreeCharField(max_length=1024, required=False, allow_blank=True)
    args = ArgumentsField(
        child=NullFreeCharField(allow_blank=True, max_length=LONGEST_TEXT),
        required=False,
        help_text="What looks secret is masked in answers.",
    )
    env = TextsField()
    url = AddressField(
        max_length=LONGEST_URL,
        required=False,
        allow_blank=True,
        help_text="What looks secret is masked in answers.",
    )
    headers = TextsField()
    timeouts = TimeoutsSerializer(source="*", required=False)


class MCPToolSerializer(ConnectionSerializer):
    id = serializers.IntegerField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    name = NullFreeCharField(max_length=255)
    slug = NullFreeCharField(
        max_length=63, required=False, help_text="Made of the name where none is given; never changes."
    )
    description = NullFreeCharField(required=False, allow_blank=True, max_length=LONGEST_DESCRIPTION)
    is_enabled = serializers.BooleanField(required=False)
    is_enriched = serializers.BooleanField(
        required=False,
        help_text="Let the provider's model write example requests for its tools, to find them by.",
    )
    asks_back = serializers.BooleanField(
        required=False,
        help_text="It asks its client back while a tool runs: each MCP client gets a session of its own.",
    )
    replicas = serializers.IntegerField(required=False, min_value=1, max_value=16)
    approval = serializers.ChoiceField(Approval.choices, required=False)
    labels = serializers.ListField(
        child=serializers.ChoiceField(Label.choices),
        required=False,
        help_text="What its tools do in a conversation, unless a tool has labels of its own.",
    )
    status = serializers.ChoiceField(Status.choices, read_only=True)
    error_message = serializers.CharField(read_only=True, allow_null=True)
    error = ServerErrorSerializer(read_only=True, allow_null=True)
    function_count = serializers.IntegerField(read_only=True)
    warnings = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What is wrong although it runs."
    )
    last_healthy_at = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class OverridesSerializer(StrictSerializer):
    """Null or an empty text removes an override."""

    name = NullFreeCharField(
        required=False, allow_null=True, allow_blank=True, max_length=LONGEST_OVERRIDES["name"]
    )
    description = NullFreeCharField(
        required=False, allow_null=True, allow_blank=True, max_length=LONGEST_DESCRIPTION
    )


class ChangeSerializer(serializers.Serializer[Any]):
    """The differing parts of a definition and of the one before."""

    before = serializers.DictField()
    after = serializers.DictField()
    at = serializers.DateTimeField()


class ExamplesSerializer(serializers.Serializer[Any]):
    """Requests that the function serves, written by a model for its definition."""

    requests = serializers.ListField(child=serializers.CharField())
    model = serializers.CharField()
    generated = serializers.BooleanField()


class RefusalSerializer(serializers.Serializer[Any]):
    """An LLM service refuses the definition, so its models are not offered the function."""

    model = serializers.CharField()
    at = serializers.DateTimeField()


class FunctionSerializer(StrictSerializer):
    """A tool of a server. `overrides` are merged with the stored ones, not replaced."""

    version = serializers.IntegerField(read_only=True)
    name = serializers.CharField(read_only=True)
    public_name = serializers.CharField(read_only=True)
    title = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    input_schema = serializers.DictField(read_only=True)
    output_schema = serializers.DictField(read_only=True, allow_null=True)
    annotations = serializers.DictField(read_only=True)
    is_enabled = serializers.BooleanField(required=False)
    approval = serializers.ChoiceField(
        ["approved", "changed", "new"],
        required=False,
        help_text="Send `approved`, with If-Match for the definition that you have seen, to approve it.",
    )
    overrides = OverridesSerializer(required=False)
    labels = serializers.ListField(
        child=serializers.ChoiceField(Label.choices),
        required=False,
        allow_null=True,
        help_text="What it does in a conversation. null: what its server's labels say.",
    )
    suggested_labels = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Labels that its annotations suggest. Nothing sets them but you.",
    )
    change = ChangeSerializer(read_only=True, allow_null=True)
    refusal = RefusalSerializer(source="present_refusal", read_only=True, allow_null=True)
    examples = ExamplesSerializer(
        source="generated_examples", read_only=True, allow_null=True, help_text="What it is found by, too."
    )

    def validate_approval(self, value: str) -> str:
        if value != "approved":
            raise serializers.ValidationError("A definition can be approved, and nothing else.")
        return value
