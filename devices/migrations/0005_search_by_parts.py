"""Lets PostgreSQL find a part of a name, a MAC or a number by an index, where it has pg_trgm for that.

Without it (SQLite; an owner who may not add an extension) searching reads the tables, and finds the same.
"""

from django.db import ProgrammingError, migrations, transaction
from django.db.utils import InternalError, NotSupportedError, OperationalError

SEARCHED = (
    ("devices_device", "name"),
    ("devices_device", "mac"),
    ("devices_extension", "username"),
    ("devices_extension", "display_name"),
    ("accounts_user", "name"),
    ("accounts_user", "email"),
)


def add(apps, schema_editor):  # type: ignore[no-untyped-def]
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except (ProgrammingError, InternalError, NotSupportedError, OperationalError):
        return  # it is not installed, or this user may not add it
    for table, column in SEARCHED:
        # A MAC is always lower case and is searched as it is.
        what = f'"{column}"' if column == "mac" else f'UPPER("{column}"::text)'
        schema_editor.execute(
            f'CREATE INDEX IF NOT EXISTS "{table}_{column}_parts" ON "{table}" USING gin (({what}) gin_trgm_ops)'
        )


def remove(apps, schema_editor):  # type: ignore[no-untyped-def]
    if schema_editor.connection.vendor == "postgresql":
        for table, column in SEARCHED:
            schema_editor.execute(f'DROP INDEX IF EXISTS "{table}_{column}_parts"')


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_people_and_notices"),
        ("devices", "0004_phones_in_lists"),
    ]
    operations = [migrations.RunPython(add, remove)]
