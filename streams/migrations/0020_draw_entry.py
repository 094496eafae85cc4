import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0019_draw'),
    ]

    operations = [
        migrations.CreateModel(
            name='DrawEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('draw', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='streams.draw')),
                ('entrant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticket', models.CharField(max_length=16, verbose_name='ticket')),
                ('entered_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='entered at')),
                ('place', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='place')),
            ],
            options={
                'verbose_name': 'entry of a draw',
                'verbose_name_plural': 'entries of a draw',
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('draw', 'entrant'), name='draw_entered_once'), models.UniqueConstraint(fields=('draw', 'ticket'), name='draw_ticket_once'), models.UniqueConstraint(fields=('draw', 'place'), name='draw_place_once')],
            },
        ),
    ]
