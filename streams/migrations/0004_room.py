import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0003_pinned_span'),
    ]

    operations = [
        migrations.CreateModel(
            name='Room',
            fields=[
                ('live_session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='streams.livesession')),
                ('version', models.PositiveBigIntegerField(default=0)),
                ('last_message_id', models.PositiveBigIntegerField(default=0)),
                ('n_likes', models.PositiveBigIntegerField(default=0, verbose_name='likes')),
                ('peak_viewers', models.PositiveIntegerField(default=0, verbose_name='most viewers at once')),
            ],
            options={
                'verbose_name': 'live room',
                'verbose_name_plural': 'live rooms',
            },
        ),
    ]
