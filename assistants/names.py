"""The namespace of assistants: callers name an assistant by its slug or an alias, and no two share one."""

from itertools import count

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext

from assistants.models import Alias, Assistant
from assistants.validation import MOST_ALIASES, RESERVED_SLUGS
from core.errors import Conflict
from tools.names import slugify


def require_free_slug(slug: str) -> None:
    """Raises Conflict if the slug is an alias. Call it in the transaction that saves the slug."""
    _lock_namespace()
    if Alias.objects.filter(name=slug).exists():
        raise Conflict(
            gettext("'%(slug)s' is another assistant's alias.") % {"slug": slug},
            "already_taken",
            field="slug",
        )


def set_aliases(assistant: Assistant, names: set[str]) -> None:
    """Replaces the aliases of an assistant, in a transaction. Raises ValidationError and Conflict."""
    _lock_namespace()
    if len(names) > MOST_ALIASES:
        raise ValidationError({"aliases": gettext("At most %d aliases.") % MOST_ALIASES})
    if unusable := sorted(names & {*RESERVED_SLUGS, assistant.slug}):
        message = gettext("%(names)s cannot be an alias: it is a name already.")
        raise ValidationError({"aliases": message % {"names": ", ".join(unusable)}})
    others = Assistant.objects.exclude(pk=assistant.pk)
    taken = {*others.filter(slug__in=names).values_list("slug", flat=True)}
    taken |= {*Alias.objects.filter(name__in=names, assistant__in=others).values_list("name", flat=True)}
    if taken:
        message = gettext("%(names)s: another assistant has that name.")
        raise Conflict(message % {"names": ", ".join(sorted(taken))}, "already_taken", field="aliases")
    assistant.alias_rows.exclude(name__in=names).delete()
    for name in sorted(names - set(assistant.alias_rows.values_list("name", flat=True))):
        _add_alias(assistant, name)


def _add_alias(assistant: Assistant, name: str) -> None:
    alias = Alias(assistant=assistant, name=name)
    try:
        alias.full_clean()
    except ValidationError as error:
        raise ValidationError({"aliases": error.messages}) from error
    alias.save(force_insert=True)


def _lock_namespace() -> None:
    """Waits until no other transaction names an assistant, and holds others off until this one ends."""
    # A unique constraint cannot span two tables: one holds the slugs, the other one the aliases.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('assistants.names'))")


def for_copy(assistant: Assistant) -> tuple[str, str]:
    """Returns a free name and a free slug for a copy of an assistant."""
    for number in count(1):
        suffix = "copy" if number == 1 else f"copy {number}"
        name, slug = f"{assistant.name[:240]} ({suffix})", f"{assistant.slug[:50]}-{slugify(suffix)}"
        is_taken = Assistant.objects.filter(name__iexact=name) | Assistant.objects.named(slug)
        if not is_taken.exists():
            return name, slug
    raise AssertionError("There is always another number.")
