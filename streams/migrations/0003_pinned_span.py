import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0002_session_change'),
    ]

    operations = [
        migrations.CreateModel(
            name='PinnedSpan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pinned_spans', to='streams.livesession')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.course', verbose_name='course')),
                ('pinned_at', models.DateTimeField(verbose_name='pinned at')),
                ('unpinned_at', models.DateTimeField(blank=True, null=True, verbose_name='until')),
            ],
            options={
                'verbose_name': 'time of a pinned course',
                'verbose_name_plural': 'times of pinned courses',
                'ordering': ['pinned_at', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('unpinned_at__isnull', True), ('unpinned_at__gte', models.F('pinned_at')), _connector='OR'), name='pinned_span_ends_after_start')],
            },
        ),
    ]
