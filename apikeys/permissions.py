from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apikeys.authentication import Principal
from apikeys.errors import ManagementRequired


class CanManage(BasePermission):
    """The caller's key has `can_manage`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not (isinstance(request.user, Principal) and request.user.can_manage):
            raise ManagementRequired
        return True
