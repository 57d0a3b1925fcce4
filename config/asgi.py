"""The ASGI entry point: `uvicorn config.asgi:application`."""

import os

import django
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

# By name: these rooms hold models, which can be imported only once Django is set up.
application = import_string("config.application.Application")()
