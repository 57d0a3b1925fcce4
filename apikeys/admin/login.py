"""The page for somebody whose login is locked after too many failures."""

from datetime import datetime, timedelta
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Says until when the login is locked: 429 with Retry-After. django-axes asks for it."""
    until = _locked_until(request)
    seconds = max(1, round((until - timezone.now()).total_seconds()))
    response = render(request, "console/locked.html", {"until": until}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _locked_until(request: Any) -> datetime:
    failures = AccessAttempt.objects.filter(
        username=(request.axes_credentials or {}).get("username"),
        ip_address=request.axes_ip_address,
        attempt_time__gte=get_cool_off_threshold(request),
    )
    last: datetime = failures.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    return last + timedelta(seconds=get_cool_off(request).total_seconds())
