"""The model of what a server offers besides its tools."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.repaired_json import StoredJson


class Offer(models.Model):
    """A capability of a server besides its tools, as last observed: a resource, a template or a prompt.

    `definition`: its wire JSON. `identity`: the URI of a resource, the URI template of a template, the name
    of a prompt.
    """

    class Kind(models.TextChoices):
        RESOURCE = "resource", "Resource"
        TEMPLATE = "template", "Resource template"
        PROMPT = "prompt", "Prompt"

    server = models.ForeignKey("tools.MCPTool", on_delete=models.CASCADE, related_name="offers")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    identity = models.TextField()
    definition = models.JSONField(default=dict, decoder=StoredJson)

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        ordering = ["server_id", "kind", "identity"]
        constraints = [
            models.UniqueConstraint(fields=["server", "kind", "identity"], name="offer_server_kind_identity")
        ]

    def __str__(self) -> str:
        return self.identity
