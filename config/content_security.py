"""The content security policy of every page (CONTENT_SECURITY_POLICY in config/console.py)."""

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

CONSOLE = "/admin/"


class ContentSecurityPolicy(CSPMiddleware):
    """Allows Alpine.js to evaluate the expressions in unfold's templates, below `/admin/` alone.

    See docs/decisions/0022-unsafe-eval-in-the-console.md.
    """

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: PolicyParts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(CONSOLE):
            parts.update = {**(parts.update or {}), "script-src": ["'unsafe-eval'"]}
        return parts
