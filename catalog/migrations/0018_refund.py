import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('catalog', '0017_ledger_of_paid_orders'),
    ]

    operations = [
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(editable=False, max_length=48, unique=True)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='catalog.order', verbose_name='order')),
                ('purchase', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refund', to='catalog.purchase', verbose_name='line')),
                ('payment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='catalog.payment', verbose_name='payment')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=10, verbose_name='amount')),
                ('currency', models.CharField(default='CNY', max_length=3, verbose_name='currency')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by')),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='requested at')),
                ('status', models.CharField(choices=[('requested', 'on its way'), ('done', 'done'), ('failed', 'failed')], default='requested', max_length=9, verbose_name='status')),
                ('reference', models.CharField(blank=True, max_length=128, verbose_name='number at the provider')),
                ('settled_at', models.DateTimeField(blank=True, null=True, verbose_name='settled at')),
                ('n_attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now, verbose_name='next attempt')),
                ('last_error', models.CharField(blank=True, max_length=200, verbose_name='last error')),
            ],
            options={
                'verbose_name': 'refund',
                'verbose_name_plural': 'refunds',
                'indexes': [models.Index(fields=['status', 'not_before'], name='refund_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['requested', 'done', 'failed'])), name='refund_status_known'), models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='refund_amount_not_negative')],
            },
        ),
    ]
