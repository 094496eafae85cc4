import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0005_chat_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalChatRules',
            fields=[
                ('is_open', models.BooleanField(default=True, verbose_name='viewers may write')),
                ('burst', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(20)], verbose_name='messages in a row')),
                ('burst_seconds', models.PositiveSmallIntegerField(default=2, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(60)], verbose_name='within seconds')),
                ('pause_seconds', models.PositiveSmallIntegerField(default=10, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(600)], verbose_name='then a pause of seconds')),
                ('slow_seconds', models.PositiveSmallIntegerField(default=0, help_text='0: slow mode is off.', validators=[django.core.validators.MaxValueValidator(600)], verbose_name='slow mode: seconds between two messages')),
                ('longest', models.PositiveSmallIntegerField(default=200, validators=[django.core.validators.MinValueValidator(10), django.core.validators.MaxValueValidator(500)], verbose_name='characters of a message')),
                ('allows_links', models.BooleanField(default=False, verbose_name='links allowed')),
                ('blocked_words', models.TextField(blank=True, help_text='One a line.', max_length=5000, verbose_name='blocked words')),
                ('live_session', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='streams.livesession')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_relation', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='streams.chatrules')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical rules of a chat',
                'verbose_name_plural': 'historical rules of chats',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]
