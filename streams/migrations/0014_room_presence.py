import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0013_visit'),
    ]

    operations = [
        migrations.CreateModel(
            name='RoomPresence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='streams.livesession')),
                ('process', models.UUIDField()),
                ('viewers', models.BinaryField()),
                ('seen_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'presence in a live room',
                'verbose_name_plural': 'presences in live rooms',
                'constraints': [models.UniqueConstraint(fields=('live_session', 'process'), name='presence_of_process_once')],
            },
        ),
    ]
