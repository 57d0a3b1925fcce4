"""The ASGI entry point: `uvicorn config.asgi:application`."""

import django
from django.utils.module_loading import import_string

from config.environment import load_settings

load_settings()
django.setup()

# By name: it imports models, which can be imported only once Django is set up.
application = import_string("config.application.create_application")()
