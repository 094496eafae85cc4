from decimal import Decimal

import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0010_purchase_is_held_once'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='purchase',
            constraint=models.CheckConstraint(condition=models.Q(('coupon_discount__gte', 0), ('coupon_discount__lte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('list_price'), '-', models.F('price')), '+', models.Value(Decimal('0.001'))))), name='purchase_coupon_within_reduction'),
        ),
    ]
