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
    ]
