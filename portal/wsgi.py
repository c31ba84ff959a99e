"""The portal's door for people, served by gunicorn."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.core.wsgi import get_wsgi_application

from portal.checks import refuse_to_start

application = get_wsgi_application()
refuse_to_start()
