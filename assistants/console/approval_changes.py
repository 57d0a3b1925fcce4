"""Tells open pages whether calls wait or were decided about, so that they ask for what they show only then.

As `tools.admin.server_changes` does for servers: an answer is a hash from memory, which tells nothing of what
has changed, and its address is signed for ten minutes.
"""

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from assistants.models import Approval, ApprovalState
from core.database import in_thread
from core.feed import FeedCache

HEADER = "X-Changes"
_signer = signing.TimestampSigner(salt="approval changes")
_VALID_S = 600


def address() -> str:
    """Returns where a page may ask whether an approval has changed."""
    return f"{reverse('approval_changes')}?{urlencode({'of': _signer.sign('approvals')})}"


async def approval_changes(request: HttpRequest) -> HttpResponse:
    """Answers with a hash; with 404 if nobody, or too long ago, was given this address."""
    try:
        _signer.unsign(request.GET.get("of", ""), max_age=_VALID_S)
    except signing.BadSignature:
        return HttpResponse(status=404)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(await _seen.get(None), "text/plain", headers=headers)


@in_thread
def _read(_: None) -> str:
    """Reads the newest number, and the calls that are not over: whatever changes, changes these."""
    not_over = set(ApprovalState) - ApprovalState.final()
    states = list(
        Approval.objects.filter(state__in=not_over).order_by("pk").values_list("pk", "state", "approver")
    )
    newest: dict[str, Any] = Approval.objects.aggregate(newest=Max("pk"))
    return sha256(repr((newest, states)).encode()).hexdigest()


_seen: FeedCache[None, str] = FeedCache(_read, [Approval._meta.db_table])
