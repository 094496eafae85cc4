import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0018_poll_vote'),
    ]

    operations = [
        migrations.CreateModel(
            name='Draw',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('live_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='draws', to='streams.livesession')),
                ('prize', models.CharField(max_length=120, verbose_name='prize')),
                ('n_winners', models.PositiveSmallIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)], verbose_name='winners')),
                ('secret', models.CharField(editable=False, max_length=64)),
                ('commitment', models.CharField(editable=False, max_length=64, verbose_name='commitment')),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='opened at')),
                ('closes_at', models.DateTimeField(verbose_name='closes at')),
                ('drawn_at', models.DateTimeField(blank=True, null=True, verbose_name='drawn at')),
            ],
            options={
                'verbose_name': 'lucky draw',
                'verbose_name_plural': 'lucky draws',
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('n_winners__range', (1, 100))), name='draw_has_winners'), models.CheckConstraint(condition=models.Q(('closes_at__gt', models.F('opened_at'))), name='draw_closes_after_it_opened')],
            },
        ),
    ]
