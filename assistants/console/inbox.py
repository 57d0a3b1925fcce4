"""What needs a person: calls that wait, changed definitions, broken servers, keys and budgets that run out.

A source counts its items with one cheap query for the sidebar, and lists them for the page. More sources are
added to SOURCES.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apikeys.models import ApiKey, TokenUsage
from assistants.models import Approval as CallApproval
from assistants.models import Approver
from core.admin.numbers import percent, whole
from core.admin.times import exact
from core.message import restored
from tools.models import Approval, MCPTool, Status, ToolFunction

EXPIRES_WITHIN = timedelta(days=14)
NEARLY_SPENT = 80
"""Percent of the tokens that a key may use in a month."""
MOST = 20
"""Items of one source that the page lists; of more it tells the number."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A button. `do` names an entry of `assistants.console.remedies`, posted for `pk`; without one, a link.

    `value` is the first value of a number that is asked for beside the button, `label` its name.
    """

    word: Any
    url: str = ""
    do: str = ""
    pk: int = 0
    label: Any = ""
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """`title` and `text` may be written by servers or callers."""

    title: str
    url: str
    text: str
    since: datetime | None
    remedies: Sequence[Remedy] = ()


class Source:
    """`permission` is needed to see its items, `remedy_permission` to mend them."""

    title: Any
    icon: str
    permission: str
    remedy_permission: str

    def rows(self) -> QuerySet[Any, Any]:
        """Returns a row for each item."""
        raise NotImplementedError

    def item(self, row: Any, user: Any) -> Item:
        raise NotImplementedError

    def may_mend(self, user: Any) -> bool:
        return bool(user.has_perm(self.remedy_permission))

    def items(self, user: Any) -> list[Item]:
        return [self.item(row, user) for row in self.rows()[:MOST]]


class WaitingCalls(Source):
    """Calls that staff must decide about. Who asks in a chat waits for it: the page shows them at once."""

    title = gettext_lazy("Calls that wait for approval")
    icon = "approval"
    permission = "assistants.view_approval"
    remedy_permission = "assistants.decide_approval"

    def rows(self) -> QuerySet[Any, Any]:
        waiting = CallApproval.objects.waiting().filter(approver=Approver.STAFF)
        return waiting.undecrypted().order_by("expires_at", "pk")

    def item(self, row: Any, user: Any) -> Item:
        page = reverse("admin:approval", args=[row.pk])
        words = {"who": row.api_key_name or row.username, "for": row.end_user, "rule": row.rule_name}
        text = _("%(who)s asks for it on behalf of %(for)s.") if row.end_user else _("%(who)s asks for it.")
        text = " ".join([text, *([_("Rule: %(rule)s.")] if row.rule_name else [])]) % words
        left = _("It is not called unless somebody agrees until %(time)s.") % {"time": exact(row.expires_at)}
        word = _("Look and decide") if self.may_mend(user) else _("Look at it")
        title = f"{row.server} · {row.function}"
        return Item(title, page, f"{text} {left}", row.created_at, [Remedy(word, page)])


class ChangedDefinitions(Source):
    """By server: tools of a pinned server that are withheld until somebody approves their definition."""

    title = gettext_lazy("Changed definitions")
    icon = "published_with_changes"
    permission = "tools.view_toolfunction"
    remedy_permission = "tools.change_toolfunction"

    def rows(self) -> QuerySet[Any, Any]:
        pinned = MCPTool.objects.present().filter(approval=Approval.PINNED).values("pk")
        waiting = ToolFunction.objects.present().exclude(approved_hash=F("definition_hash"))
        by_server = waiting.filter(server__in=pinned, is_enabled=True).order_by().values("server_id")
        return by_server.annotate(
            name=Max("server__name"), waiting=Count("pk"), since=Max("replaced_at"), added=Max("created_at")
        ).order_by("server_id")

    def item(self, row: Any, user: Any) -> Item:
        page = page_of("tools_mcptool_functions", row["server_id"])
        text = _("Tools that wait for approval: %(count)s. No assistant gets them until then.")
        word = _("Review and approve") if self.may_mend(user) else _("See the changes")
        since = row["since"] or row["added"]
        return Item(row["name"], page, text % {"count": whole(row["waiting"])}, since, [Remedy(word, page)])


class BrokenServers(Source):
    title = gettext_lazy("Servers that do not serve")
    icon = "dns"
    permission = "tools.view_mcptool"
    remedy_permission = "tools.operate_mcptool"

    def rows(self) -> QuerySet[Any, Any]:
        wanted = MCPTool.objects.wanted().filter(status=Status.ERROR)
        return wanted.select_related("oauth_grant").only("name", "error", "oauth_grant__id").order_by("name")

    def item(self, row: Any, user: Any) -> Item:
        error = row.error or {}
        parts = [restored(error).said(), _(error.get("remedy", ""))] if error else []
        url = reverse("admin:tools_mcptool_change", args=[row.pk])
        since = parse_datetime(str(error.get("at") or ""))
        return Item(row.name, url, " ".join(filter(None, parts)), since, self._remedies(row, error, user))

    def _remedies(self, row: Any, error: dict[str, Any], user: Any) -> list[Remedy]:
        remedies = []
        if error.get("class") == "login_required" and user.has_perm("connector.change_oauthgrant"):
            grant = getattr(row, "oauth_grant", None)
            if grant is not None:
                remedies.append(Remedy(_("Log in"), do="login", pk=grant.pk))
            elif user.has_perm("connector.add_oauthgrant"):
                address = f"{reverse('admin:connector_oauthgrant_add')}?server={row.pk}"
                remedies.append(Remedy(_("Set up the login"), address))
        if self.may_mend(user):
            remedies.append(Remedy(_("Restart"), do="restart", pk=row.pk))
        return remedies


class ExpiringKeys(Source):
    title = gettext_lazy("Keys that expire soon")
    icon = "key"
    permission = "apikeys.view_apikey"
    remedy_permission = "apikeys.change_apikey"

    def rows(self) -> QuerySet[Any, Any]:
        soon = timezone.now() + EXPIRES_WITHIN
        return ApiKey.objects.usable().filter(expires_at__lte=soon).order_by("expires_at")

    def item(self, row: Any, user: Any) -> Item:
        left = row.expires_at - timezone.now()
        text = ngettext(
            "It expires in %(days)d day: callers are refused from then on.",
            "It expires in %(days)d days: callers are refused from then on.",
            left.days,
        ) % {"days": left.days}
        if left < timedelta(days=1):
            text = _("It expires within a day: callers are refused from then on.")
        url = reverse("admin:apikeys_apikey_change", args=[row.pk])
        remedies = []
        if self.may_mend(user):
            label = _("Days")
            remedies = [
                Remedy(_("Extend"), do="extend", pk=row.pk, label=label, value=90),
                Remedy(_("Rotate"), reverse("admin:apikeys_apikey_rotate", args=[row.pk])),
            ]
        return Item(row.name, url, text, row.expires_at - EXPIRES_WITHIN, remedies)


class SpentBudgets(Source):
    title = gettext_lazy("Budgets that are nearly spent")
    icon = "savings"
    permission = "apikeys.view_apikey"
    remedy_permission = "apikeys.change_apikey"

    def rows(self) -> QuerySet[Any, Any]:
        month = timezone.now().date().replace(day=1)
        nearly = F("api_key__tokens_per_month") * NEARLY_SPENT / 100
        spent = TokenUsage.objects.filter(month=month, tokens__gte=nearly)
        usable = spent.filter(api_key__in=ApiKey.objects.usable())
        return usable.select_related("api_key").order_by("-tokens", "pk")

    def item(self, row: Any, user: Any) -> Item:
        key = row.api_key
        limit = key.tokens_per_month
        words = {
            "spent": whole(row.tokens),
            "limit": whole(limit),
            "share": percent(row.tokens, limit),
        }
        text = _("%(spent)s of %(limit)s tokens of this month are spent (%(share)s).") % words
        remedies = []
        if self.may_mend(user):
            raised = max(limit + 1, limit * 3 // 2)
            label = _("Tokens a month")
            remedies = [Remedy(_("Raise the budget"), do="raise", pk=key.pk, label=label, value=raised)]
        return Item(key.name, reverse("admin:apikeys_apikey_change", args=[key.pk]), text, None, remedies)


WAITING_CALLS = WaitingCalls()
SOURCES: tuple[Source, ...] = (
    WAITING_CALLS,
    ChangedDefinitions(),
    BrokenServers(),
    ExpiringKeys(),
    SpentBudgets(),
)


def seen_by(user: Any) -> list[Source]:
    return [source for source in SOURCES if user.has_perm(source.permission)]


def badge(request: Any) -> str:
    """Returns how many items there are for this person, for the sidebar; "" for none."""
    count = sum(source.rows().count() for source in seen_by(request.user))
    return str(count) if count else ""


def page_of(name: str, pk: int) -> str:
    """Returns the address of a server's page of this name, or of its settings where there is none."""
    try:
        return reverse(f"admin:{name}", args=[pk])
    except NoReverseMatch:
        return reverse("admin:tools_mcptool_change", args=[pk])
