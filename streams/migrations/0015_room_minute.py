import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0014_room_presence'),
    ]

    operations = [
        migrations.CreateModel(
            name='RoomMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='streams.livesession')),
                ('minute', models.DateTimeField(verbose_name='minute')),
                ('n_viewers', models.PositiveIntegerField(default=0, verbose_name='most viewers at once')),
                ('n_likes', models.PositiveIntegerField(default=0, verbose_name='likes')),
            ],
            options={
                'verbose_name': 'minute of a live room',
                'verbose_name_plural': 'minutes of live rooms',
                'ordering': ['minute'],
                'constraints': [models.UniqueConstraint(fields=('live_session', 'minute'), name='room_minute_once')],
            },
        ),
    ]
