"""The button *Ask it* on the page of a provider. Not in `admin`, which workers load: it needs the agent."""

import time
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.views import View

from assistants.agent.ask import probe
from assistants.catalogue.endpoints import endpoint
from assistants.errors import UpstreamFailed
from assistants.models import Provider
from core.message import said

_LONGEST_ANSWER = 200


class ProviderTest(PermissionRequiredMixin, View):
    """Asks the service a small question with the stored key, and tells how it answered."""

    http_method_names = ["post"]
    permission_required = "assistants.change_provider"
    raise_exception = True

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        level, text = _outcome(get_object_or_404(Provider, pk=pk))  # unmasked: the service is sent the key
        messages.add_message(request, level, text)
        return redirect("admin:assistants_provider_change", pk)


def _outcome(provider: Provider) -> tuple[int, str]:
    started = time.monotonic()
    target = endpoint(provider)
    try:
        answer = async_to_sync(probe)(target)[:_LONGEST_ANSWER]
    except UpstreamFailed as failure:
        told: dict[str, Any] = {"model": target.model, "why": said(failure.message)}
        return messages.ERROR, gettext("%(model)s did not answer: %(why)s") % told
    told = {"model": target.model, "seconds": f"{time.monotonic() - started:.1f}", "answer": answer}
    return messages.SUCCESS, gettext("%(model)s answered in %(seconds)s s: %(answer)s") % told
