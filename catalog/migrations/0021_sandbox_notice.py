import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0020_sandbox_refund'),
    ]

    operations = [
        migrations.CreateModel(
            name='SandboxNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='catalog.sandboxpayment')),
                ('outcome', models.CharField(max_length=9)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now)),
                ('n_attempts', models.PositiveSmallIntegerField(default=0)),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name': 'sandbox notification',
                'verbose_name_plural': 'sandbox notifications',
                'indexes': [models.Index(fields=['delivered_at', 'not_before'], name='sandbox_notice_due')],
                'constraints': [],
            },
        ),
    ]
