"""The audit refuses changes in the database itself, whatever program tries."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

SQLITE = """
CREATE TRIGGER audit_entry_unchanged BEFORE UPDATE ON accounts_auditentry
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END
"""

POSTGRESQL = """
CREATE FUNCTION audit_entry_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit entries are never changed'; END $$;
CREATE TRIGGER audit_entry_unchanged BEFORE UPDATE ON accounts_auditentry
FOR EACH ROW EXECUTE FUNCTION audit_entry_unchanged();
"""


def build_wall(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE)


def take_down(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    on = " ON accounts_auditentry" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP TRIGGER audit_entry_unchanged{on}")
    if on:
        schema_editor.execute("DROP FUNCTION audit_entry_unchanged()")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(build_wall, take_down)]
