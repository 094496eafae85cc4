from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="sessionfigures",
            name="sales",
            field=models.JSONField(
                blank=True, editable=False, null=True, verbose_name="sales by offer"
            ),
        ),
    ]
