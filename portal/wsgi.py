"""The portal's door for people, served by gunicorn."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from portal.checks import refuse_to_start
from portal.settling import settle

application = get_wsgi_application()
refuse_to_start()
assert get_resolver().url_patterns  # now every page is loaded
settle()
