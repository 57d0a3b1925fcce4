from rest_framework.routers import SimpleRouter

from apikeys.api.api_keys import ApiKeyViewSet
from apikeys.api.audit import AuditViewSet

router = SimpleRouter(trailing_slash=False)
router.register("api-keys", ApiKeyViewSet, basename="api-key")
router.register("audit", AuditViewSet, basename="audit")

urlpatterns = router.urls
