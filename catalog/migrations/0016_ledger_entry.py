import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0015_payment'),
    ]

    operations = [
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledger', to='catalog.order', verbose_name='order')),
                ('key', models.CharField(editable=False, max_length=48)),
                ('kind', models.CharField(choices=[('charge', 'charge'), ('refund', 'refund'), ('surplus', 'surplus'), ('surplus_return', 'surplus returned')], max_length=14, verbose_name='kind')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=10, verbose_name='amount')),
                ('currency', models.CharField(default='CNY', max_length=3, verbose_name='currency')),
                ('payment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger', to='catalog.payment', verbose_name='payment')),
                ('purchase', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger', to='catalog.purchase', verbose_name='line')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='recorded at')),
            ],
            options={
                'verbose_name': 'ledger entry',
                'verbose_name_plural': 'ledger',
                'indexes': [models.Index(fields=['recorded_at'], name='ledger_newest')],
                'constraints': [models.UniqueConstraint(fields=('order', 'key'), name='ledger_move_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['charge', 'refund', 'surplus', 'surplus_return'])), name='ledger_kind_known'), models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='ledger_amount_not_negative')],
            },
        ),
    ]
