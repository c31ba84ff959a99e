"""`apikey --account SLUG --role ROLE`: makes a key and prints it alone on standard output."""

import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from accounts import keys
from accounts.models import Account
from accounts.refusals import Refusal
from accounts.scope import Actor


class Command(BaseCommand):
    help = "Makes an API key and prints it, once, alone on standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", required=True, metavar="SLUG")
        parser.add_argument("--role", required=True, metavar="ROLE")
        parser.add_argument("--name", default="made on the server", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        role = next((role for role in keys.ROLES if role.value == options["role"]), None)
        if role is None:
            known = ", ".join(role.value for role in keys.ROLES)
            self._stop(f"There is no role {options['role']!r} for a key; the roles are {known}.")
        try:
            account = Account.objects.filter(slug=options["account"]).first()
            if account is None:
                self._stop(f"There is no account with the slug {options['account']!r}.")
            maker = Actor.system("apikey command")
            _, text = keys.make(account, by=maker, name=options["name"], role=role, now=timezone.now())
        except Refusal as refusal:
            self._stop(refusal.detail)
        except DatabaseError as error:
            self._stop(f"The database cannot be used: {str(error).splitlines()[0]}")
        self.stderr.write(f"A {role.value} key for {account.name}. It is shown this once.")
        self.stdout.write(text)

    def _stop(self, reason: str) -> NoReturn:
        self.stderr.write(f"latchkey: {reason}")
        sys.exit(1)
