from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0002_sales_by_offer'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelrun',
            name='figures',
            field=models.JSONField(blank=True, db_default=models.Value({}, output_field=models.JSONField()), default=dict, verbose_name='figures'),
        ),
    ]
