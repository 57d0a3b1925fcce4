"""The page of a call that waits for approval: what is asked, the decision, and what became of it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from assistants.actions import approvals
from assistants.console import approval_changes, approval_facts
from assistants.console.approval_edit import EditForm, InvalidEdit
from assistants.models import Approval
from core.actor import Actor
from core.admin.refusals import REFUSALS, text_of
from core.admin.views import ConsolePage
from core.errors import InvalidRequest


class ApprovalPage(ConsolePage):
    """GET shows the call. POST does what the button `do` says: approve, edit, reject or reveal.

    Sentences in chats lead here: see `assistants.approvals.sentences.address`.
    """

    permission_required = "assistants.view_approval"
    template_name = "console/approval/page.html"
    http_method_names = ["get", "head", "options", "post"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        approval: Approval = kwargs.pop("approval", None) or _found(self.kwargs["pk"])
        user: Any = self.request.user
        is_revealed = kwargs.pop("is_revealed", False)
        shown = {
            "title": _("Approval %(number)s") % {"number": approval.number},
            "facts": approval_facts.facts(approval, user),
            "is_revealed": is_revealed,
            **approval_facts.state_of(approval, user),
            **approval_facts.arguments_of(approval, is_revealed=is_revealed),
            **approval_facts.decision_of(approval, user),
        }
        return super().get_context_data(**{"edit": EditForm.of(shown["arguments"]), **shown, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        approval = _found(pk)
        try:
            told = _decide(approval, request)
        except InvalidEdit as invalid:
            return self.render_to_response(self.get_context_data(approval=approval, edit=invalid.form))
        except ValidationError as error:
            told_at = {"reason": request.POST.get("reason", ""), "reason_problem": text_of(error)}
            return self.render_to_response(self.get_context_data(approval=approval, **told_at))
        except REFUSALS as error:
            messages.error(request, text_of(error))
            return redirect("admin:approval", pk)
        if told is None:
            response = self.render_to_response(self.get_context_data(approval=approval, is_revealed=True))
            response.headers["Cache-Control"] = "no-store"
            return response
        messages.success(request, told)
        return redirect("admin:approval", pk)


class ApprovalStatePart(ConsolePage):
    """The part of the page that moves."""

    permission_required = "assistants.view_approval"
    template_name = "console/approval/state.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return approval_facts.state_of(_found(self.kwargs["pk"]), self.request.user)

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        headers = {approval_changes.HEADER: approval_changes.address()}
        return super().render_to_response(context, headers=headers, **kwargs)


class ApprovalDecision(ConsolePage):
    """POST decides from the playground: `do` is approve, or else reject. Answers {message}, and 409 where it
    is refused, 422 where the reason cannot be told.
    """

    permission_required = "assistants.decide_approval"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        approval, by = _found(pk), Actor.of(request)
        try:
            if request.POST.get("do") == "approve":
                approvals.approve(approval, by=by)
            else:
                approvals.reject(approval, by=by, reason=request.POST.get("reason", ""))
        except REFUSALS as error:
            status = 422 if isinstance(error, ValidationError) else 409
            return JsonResponse({"message": text_of(error)}, status=status)
        return JsonResponse({"message": ""})


def _found(pk: int) -> Approval:
    approval = Approval.objects.filter(pk=pk).first() if pk < 2**63 else None
    if approval is None:
        raise Http404
    return approval


def _decide(approval: Approval, request: HttpRequest) -> str | None:
    """Does what the button says. Returns what to tell, or None where secrets may be shown.

    Raises InvalidEdit for the form of the arguments, ValidationError for the reason, and what verbs raise.
    """
    by = Actor.of(request)
    match request.POST.get("do"):
        case "reveal":
            approvals.reveal(approval, by=by)
            return None
        case "reject":
            approvals.reject(approval, by=by, reason=request.POST.get("reason", ""))
            return _("Rejected: the tool is not called, and the model is told so.")
        case "edit":
            EditForm(request.POST).approve(approval, by=by)
            return _("Approved with your changes: the tool is called now.")
        case "approve":
            approvals.approve(approval, by=by)
            return _("Approved: the tool is called now.")
    raise InvalidRequest(_("Choose to approve or to reject."), code="no_decision")
