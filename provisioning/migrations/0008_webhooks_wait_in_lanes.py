import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0007_webhooks")]

    operations = [
        migrations.AlterField(
            model_name="webhookdelivery",
            name="due_at",
            field=models.DateTimeField(blank=True, default=django.utils.timezone.now, null=True),
        ),
        migrations.RemoveIndex("webhookdelivery", "webhook_due"),
        migrations.RemoveIndex("webhookdelivery", "webhook_lane"),
        migrations.AddIndex(
            "webhookdelivery",
            models.Index(
                condition=models.Q(("ended_at", None)), fields=["endpoint", "due_at"], name="webhook_due"
            ),
        ),
        migrations.AddIndex(
            "webhookdelivery",
            models.Index(
                condition=models.Q(("ended_at", None)), fields=["endpoint", "lane", "id"], name="webhook_lane"
            ),
        ),
    ]
