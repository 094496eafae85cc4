from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0003_modelrun_figures'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelrun',
            name='model_file',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='model file'),
        ),
    ]
