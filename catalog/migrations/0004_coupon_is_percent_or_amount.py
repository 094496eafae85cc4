from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0003_promotion_history_is_public'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='coupon',
            name='coupon_percent_or_amount',
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__isnull', True), ('kind', 'percent'), ('percent__isnull', False), ('percent__range', (1, 100))), models.Q(('amount__gt', 0), ('amount__isnull', False), ('kind', 'amount'), ('percent__isnull', True)), _connector='OR'), name='coupon_percent_or_amount'),
        ),
    ]
