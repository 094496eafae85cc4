import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Letter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(editable=False, max_length=80, unique=True, verbose_name='key')),
                ('kind', models.CharField(editable=False, max_length=32, verbose_name='kind')),
                ('subject_id', models.BigIntegerField(editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created at')),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now, verbose_name='next attempt')),
                ('n_attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent at')),
                ('dropped_at', models.DateTimeField(blank=True, null=True, verbose_name='given up at')),
                ('last_error', models.CharField(blank=True, max_length=200, verbose_name='last error')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='recipient')),
            ],
            options={
                'verbose_name': 'letter',
                'verbose_name_plural': 'letters',
                'indexes': [models.Index(fields=['sent_at', 'dropped_at', 'not_before'], name='letter_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('sent_at__isnull', True), ('dropped_at__isnull', True), _connector='OR'), name='letter_sent_or_given_up')],
            },
        ),
    ]
