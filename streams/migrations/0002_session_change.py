import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '__first__'),
        ('catalog', '0021_sandbox_notice'),
        ('streams', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='SessionChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='streams.livesession')),
                ('before', models.CharField(choices=[('draft', 'draft'), ('scheduled', 'scheduled'), ('live', 'live'), ('ended', 'ended'), ('replay', 'replay')], max_length=9, verbose_name='before')),
                ('after', models.CharField(choices=[('draft', 'draft'), ('scheduled', 'scheduled'), ('live', 'live'), ('ended', 'ended'), ('replay', 'replay')], max_length=9, verbose_name='after')),
                ('cause', models.CharField(choices=[('seller', 'the seller'), ('stream', 'the stream'), ('clock', 'the clock')], max_length=8, verbose_name='caused by')),
                ('changed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='changed by')),
                ('changed_at', models.DateTimeField(verbose_name='changed at')),
            ],
            options={
                'verbose_name': 'change of a live session',
                'verbose_name_plural': 'changes of live sessions',
                'ordering': ['pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('before', models.F('after')), _negated=True), name='session_change_changes_something')],
            },
        ),
    ]
