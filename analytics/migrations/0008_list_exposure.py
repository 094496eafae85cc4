import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0007_profile_correction'),
    ]

    operations = [
        migrations.CreateModel(
            name='ListExposure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.course', verbose_name='course')),
                ('n_shown', models.PositiveBigIntegerField(default=0, verbose_name='times shown')),
                ('n_explored', models.PositiveBigIntegerField(default=0, verbose_name='of them to try it out')),
            ],
            options={
                'verbose_name': 'exposure in lists',
                'verbose_name_plural': 'exposures in lists',
                'constraints': [models.UniqueConstraint(fields=('day', 'course'), name='exposure_once_per_day'), models.CheckConstraint(condition=models.Q(('n_explored__lte', models.F('n_shown'))), name='exposure_explored_within_shown')],
            },
        ),
    ]
