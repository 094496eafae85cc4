import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0011_chat_of_author'),
    ]

    operations = [
        migrations.CreateModel(
            name='ModerationAct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='moderation_acts', to='streams.livesession', verbose_name='live session')),
                ('kind', models.CharField(choices=[('hide', 'hid a message'), ('show', 'showed a message again'), ('mute', 'muted'), ('ban', 'banned'), ('lift', 'lifted a mute or ban'), ('add', 'made a moderator'), ('drop', "took the moderator's role away"), ('rules', 'changed the rules of the chat')], max_length=5, verbose_name='act')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='done by')),
                ('subject', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='concerns')),
                ('message', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='streams.chatmessage', verbose_name='message')),
                ('note', models.CharField(blank=True, max_length=300, verbose_name='note')),
                ('done_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='done at')),
            ],
            options={
                'verbose_name': 'act of moderation',
                'verbose_name_plural': 'acts of moderation',
                'ordering': ['-pk'],
            },
        ),
    ]
