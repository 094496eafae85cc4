import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0007_moderator'),
    ]

    operations = [
        migrations.CreateModel(
            name='Restriction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seller', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='seller')),
                ('live_session', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='restrictions', to='streams.livesession')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
                ('kind', models.CharField(choices=[('mute', 'may not write'), ('ban', 'may not enter')], max_length=4, verbose_name='kind')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('imposed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='imposed by')),
                ('imposed_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='imposed at')),
                ('until', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('lifted_at', models.DateTimeField(blank=True, null=True, verbose_name='lifted at')),
            ],
            options={
                'verbose_name': 'mute or ban',
                'verbose_name_plural': 'mutes and bans',
                'indexes': [models.Index(fields=['seller', 'user'], name='restriction_of_user')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['mute', 'ban'])), name='restriction_kind_known'), models.CheckConstraint(condition=models.Q(('until__isnull', True), ('until__gt', models.F('imposed_at')), _connector='OR'), name='restriction_ends_after_start')],
            },
        ),
    ]
