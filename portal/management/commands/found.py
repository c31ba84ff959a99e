"""`found --email you@example.org --name "Your Name"`: the platform's account and its first supporter."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import tenants
from accounts.refusals import Refusal
from accounts.scope import Actor


class Command(BaseCommand):
    """Found an empty installation; the password is asked for, or read from standard input."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", required=True, help="the person's name")
        parser.add_argument("--platform", default="Latchkey", help="the platform's name")
        parser.add_argument("--slug", default="platform")

    def handle(self, *args: Any, **options: Any) -> None:
        password = _read_password()
        by = Actor.system("the server's own command line")
        try:
            validate_password(password)
            with transaction.atomic():
                account = tenants.found_platform(by=by, slug=options["slug"], name=options["platform"])
                tenants.add_first_person(
                    account, by=by, email=options["email"], name=options["name"], password=password
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{options['email']} may sign in and is {account.name}'s first supporter.")


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise CommandError("The two passwords differ.")
    return password
