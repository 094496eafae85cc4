import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0018_refund'),
    ]

    operations = [
        migrations.CreateModel(
            name='SandboxPayment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('number', models.CharField(max_length=32, unique=True)),
                ('title', models.CharField(max_length=200)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=10, verbose_name='amount')),
                ('refunded', models.DecimalField(decimal_places=2, default=0, max_digits=10, verbose_name='refunded')),
                ('currency', models.CharField(default='CNY', max_length=3, verbose_name='currency')),
                ('state', models.CharField(choices=[('open', 'open'), ('paid', 'paid'), ('declined', 'declined'), ('closed', 'closed')], default='open', max_length=8, verbose_name='status')),
                ('return_url', models.TextField()),
                ('notify_url', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name': 'sandbox payment',
                'verbose_name_plural': 'sandbox payments',
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['open', 'paid', 'declined', 'closed'])), name='sandbox_state_known'), models.CheckConstraint(condition=models.Q(('refunded__gte', 0), ('refunded__lte', models.F('amount'))), name='sandbox_refund_within_amount')],
                'indexes': [],
            },
        ),
    ]
