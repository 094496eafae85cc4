from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0004_modelrun_model_file'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelrun',
            name='model_sha256',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='SHA-256 of the model file'),
        ),
    ]
