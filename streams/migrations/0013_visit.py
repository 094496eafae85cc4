import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0012_moderation_act'),
    ]

    operations = [
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(unique=True)),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='visits', to='streams.livesession', verbose_name='live session')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='viewer')),
                ('visitor_id', models.UUIDField(blank=True, null=True, verbose_name='anonymous visitor')),
                ('source', models.CharField(choices=[('home', 'home page'), ('list', 'list of live sessions'), ('course', 'page of a course'), ('reminder', 'reminder'), ('share', 'shared link'), ('search', 'search engine'), ('direct', 'direct'), ('app', 'app'), ('other', 'elsewhere')], default='direct', max_length=8, verbose_name='came from')),
                ('joined_at', models.DateTimeField(verbose_name='came at')),
                ('last_seen_at', models.DateTimeField(verbose_name='last seen at')),
                ('watched_seconds', models.PositiveIntegerField(default=0, verbose_name='watched seconds')),
                ('n_likes', models.PositiveIntegerField(default=0, verbose_name='likes')),
            ],
            options={
                'verbose_name': 'visit of a live room',
                'verbose_name_plural': 'visits of live rooms',
                'indexes': [models.Index(fields=['live_session', 'last_seen_at'], name='visit_last_seen')],
                'constraints': [models.CheckConstraint(condition=models.Q(('user__isnull', False), ('visitor_id__isnull', False), _connector='OR'), name='visit_has_somebody'), models.CheckConstraint(condition=models.Q(('last_seen_at__gte', models.F('joined_at'))), name='visit_ends_after_start'), models.CheckConstraint(condition=models.Q(('source__in', ['home', 'list', 'course', 'reminder', 'share', 'search', 'direct', 'app', 'other'])), name='visit_source_known')],
            },
        ),
    ]
