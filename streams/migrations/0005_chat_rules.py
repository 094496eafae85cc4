import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0004_room'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChatRules',
            fields=[
                ('live_session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='chat_rules', serialize=False, to='streams.livesession')),
                ('is_open', models.BooleanField(default=True, verbose_name='viewers may write')),
                ('burst', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(20)], verbose_name='messages in a row')),
                ('burst_seconds', models.PositiveSmallIntegerField(default=2, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(60)], verbose_name='within seconds')),
                ('pause_seconds', models.PositiveSmallIntegerField(default=10, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(600)], verbose_name='then a pause of seconds')),
                ('slow_seconds', models.PositiveSmallIntegerField(default=0, help_text='0: slow mode is off.', validators=[django.core.validators.MaxValueValidator(600)], verbose_name='slow mode: seconds between two messages')),
                ('longest', models.PositiveSmallIntegerField(default=200, validators=[django.core.validators.MinValueValidator(10), django.core.validators.MaxValueValidator(500)], verbose_name='characters of a message')),
                ('allows_links', models.BooleanField(default=False, verbose_name='links allowed')),
                ('blocked_words', models.TextField(blank=True, help_text='One a line.', max_length=5000, verbose_name='blocked words')),
            ],
            options={
                'verbose_name': 'rules of a chat',
                'verbose_name_plural': 'rules of chats',
                'constraints': [models.CheckConstraint(condition=models.Q(('burst__range', (1, 20)), ('burst_seconds__range', (1, 60)), ('pause_seconds__range', (1, 600)), ('slow_seconds__lte', 600), ('longest__range', (10, 500))), name='chat_rules_in_bounds')],
            },
        ),
    ]
