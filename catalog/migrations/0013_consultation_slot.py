import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0012_lesson_files_are_private'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConsultationSlot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('course', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='catalog.course', verbose_name='consultation')),
                ('starts_at', models.DateTimeField(verbose_name='starts at')),
                ('ends_at', models.DateTimeField(verbose_name='ends at')),
                ('purchase', models.OneToOneField(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='slot', to='catalog.purchase', verbose_name='taken by')),
            ],
            options={
                'verbose_name': 'time of a consultation',
                'verbose_name_plural': 'times of consultations',
                'ordering': ['starts_at', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('course', 'starts_at'), name='slot_once_per_start'), models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='slot_window')],
                'indexes': [],
            },
        ),
    ]
