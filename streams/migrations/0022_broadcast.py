import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0021_stream_key'),
    ]

    operations = [
        migrations.CreateModel(
            name='Broadcast',
            fields=[
                ('live_session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='broadcast', serialize=False, to='streams.livesession')),
                ('external_url', models.URLField(blank=True, max_length=500, verbose_name='HLS address')),
                ('is_on_air', models.BooleanField(default=False, verbose_name='on air')),
                ('on_air_since', models.DateTimeField(blank=True, null=True, verbose_name='on air since')),
                ('dropped_at', models.DateTimeField(blank=True, null=True, verbose_name='dropped at')),
                ('last_heard_at', models.DateTimeField(blank=True, null=True, verbose_name='last heard of')),
                ('n_drops', models.PositiveIntegerField(default=0, verbose_name='interruptions')),
                ('kbps', models.PositiveIntegerField(blank=True, null=True, verbose_name='kbit/s')),
                ('recording', models.CharField(blank=True, max_length=200, verbose_name='recording')),
                ('recorded_from', models.DateTimeField(blank=True, null=True, verbose_name='recorded from')),
                ('recorded_seconds', models.PositiveIntegerField(blank=True, null=True, verbose_name='recorded seconds')),
            ],
            options={
                'verbose_name': 'broadcast',
                'verbose_name_plural': 'broadcasts',
            },
        ),
    ]
