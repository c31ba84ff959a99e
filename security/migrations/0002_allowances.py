from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def granted_as_entered(apps: Any, schema_editor: Any) -> None:
    """What stood before was granted when it was entered, by whoever entered it."""
    rows = apps.get_model("security", "AllowedNetwork").objects
    rows.update(proposed_by=models.F("granted_by"), granted_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_audit_is_append_only"),
        ("security", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Unblocking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("person", models.CharField(max_length=200)),
                ("first", models.CharField(max_length=32)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.AlterModelOptions(
            name="allowednetwork",
            options={"ordering": ["-created_at", "-id"]},
        ),
        migrations.AddField(
            model_name="allowednetwork",
            name="ended_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="allowednetwork",
            name="ended_by",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="allowednetwork",
            name="granted_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="allowednetwork",
            name="proposed_by",
            field=models.CharField(default="", max_length=200),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="allowednetwork",
            name="granted_by",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddConstraint(
            model_name="allowednetwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("created_at"))),
                name="allowed_ends_after_start",
                violation_error_message="An allowance ends after it is proposed.",
            ),
        ),
        migrations.AddField(
            model_name="unblocking",
            name="ban",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="unblockings", to="security.ban"
            ),
        ),
        migrations.AddIndex(
            model_name="unblocking",
            index=models.Index(fields=["person", "at"], name="unblocking_person"),
        ),
        migrations.AddIndex(
            model_name="unblocking",
            index=models.Index(fields=["first", "at"], name="unblocking_origin"),
        ),
        migrations.RunPython(granted_as_entered, migrations.RunPython.noop),
    ]
