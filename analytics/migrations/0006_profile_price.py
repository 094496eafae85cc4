from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0005_modelrun_model_sha256'),
    ]

    operations = [
        migrations.AddField(
            model_name='profile',
            name='price',
            field=models.JSONField(blank=True, db_default=models.Value({}, output_field=models.JSONField()), default=dict, verbose_name='price sensitivity'),
        ),
    ]
