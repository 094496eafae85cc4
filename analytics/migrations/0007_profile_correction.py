import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0006_profile_price'),
    ]

    operations = [
        migrations.CreateModel(
            name='ProfileCorrection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='viewer')),
                ('subject', models.CharField(max_length=40, verbose_name='part of the profile')),
                ('is_off', models.BooleanField(default=False, verbose_name='switched off')),
                ('value', models.JSONField(blank=True, null=True, verbose_name='instead')),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'correction of a profile',
                'verbose_name_plural': 'corrections of profiles',
                'constraints': [models.UniqueConstraint(fields=('user', 'subject'), name='correction_once_per_subject')],
            },
        ),
    ]
