import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0014_coupon_claim'),
    ]

    operations = [
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='catalog.order', verbose_name='order')),
                ('provider', models.CharField(max_length=16, verbose_name='provider')),
                ('reference', models.CharField(blank=True, max_length=128, null=True, verbose_name='number at the provider')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=10, verbose_name='amount')),
                ('currency', models.CharField(default='CNY', max_length=3, verbose_name='currency')),
                ('status', models.CharField(choices=[('started', 'started'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('surplus', 'not needed')], default='started', max_length=9, verbose_name='status')),
                ('redirect_url', models.TextField(blank=True, editable=False)),
                ('qr_code', models.TextField(blank=True, editable=False)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='started at')),
                ('settled_at', models.DateTimeField(blank=True, null=True, verbose_name='settled at')),
            ],
            options={
                'verbose_name': 'payment',
                'verbose_name_plural': 'payments',
                'indexes': [models.Index(fields=['status', 'started_at'], name='payment_open_since')],
                'constraints': [models.UniqueConstraint(fields=('provider', 'reference'), name='payment_known_once'), models.CheckConstraint(condition=models.Q(('status__in', ['started', 'succeeded', 'failed', 'surplus'])), name='payment_status_known'), models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='payment_amount_above_zero')],
            },
        ),
    ]
