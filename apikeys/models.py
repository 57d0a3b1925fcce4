from typing import Self

from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


no_nul = ProhibitNullCharactersValidator()
"""PostgreSQL keeps no NUL in a text: refuse it with a message rather than fail on it."""


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> Self:
        """Keys that open a door right now: neither disabled nor expired."""
        alive = models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now())
        return self.filter(alive, is_disabled=False)

    def managing(self) -> Self:
        return self.filter(can_manage=True)


class ApiKey(models.Model):
    """Who may call. The key itself is never stored: only its SHA-256 and the prefix that people recognise."""

    name = models.CharField(max_length=255, validators=[no_nul])
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    key_prefix = models.CharField("key", max_length=32, editable=False)
    can_manage = models.BooleanField(default=False, help_text="May use the management API.")
    can_call_assistant = models.BooleanField(default=True, help_text="May call the assistants granted to it.")
    is_disabled = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="apikey_name_unique")]

    def __str__(self) -> str:
        return self.name
