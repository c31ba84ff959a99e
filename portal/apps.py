"""The project as an app: its templates, checks and commands."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        """Make Celery's app the default before anybody sends a task, and register the checks."""
        from allauth.mfa.signals import authenticator_added

        from accounts import second_factor
        from portal import celery, checks  # noqa: F401

        authenticator_added.connect(second_factor.added, dispatch_uid="second-factor")
