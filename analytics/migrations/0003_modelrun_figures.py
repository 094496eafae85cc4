from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0002_sales_by_offer'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelrun',
            name='figures',
            field=models.JSONField(blank=True, default=dict, verbose_name='figures'),
        ),
    ]
