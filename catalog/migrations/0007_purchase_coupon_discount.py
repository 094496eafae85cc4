from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0006_order_request_digest'),
    ]

    operations = [
        migrations.AddField(
            model_name='purchase',
            name='coupon_discount',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=10, verbose_name='coupon'),
        ),
    ]
