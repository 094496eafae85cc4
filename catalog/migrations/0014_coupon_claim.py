import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '__first__'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('catalog', '0013_consultation_slot'),
    ]

    operations = [
        migrations.CreateModel(
            name='CouponClaim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('coupon', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='claims', to='catalog.coupon')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
                ('claimed_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='claimed at')),
            ],
            options={
                'verbose_name': 'claimed coupon',
                'verbose_name_plural': 'claimed coupons',
                'constraints': [models.UniqueConstraint(fields=('user', 'coupon'), name='coupon_claimed_once')],
                'indexes': [],
            },
        ),
    ]
