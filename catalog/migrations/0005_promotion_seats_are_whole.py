from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0004_coupon_is_percent_or_amount'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='promotion',
            name='promotion_seats_within',
        ),
        migrations.AddConstraint(
            model_name='promotion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('seats__isnull', True), ('seats_left__isnull', True)), models.Q(('seats__isnull', False), ('seats_left__gte', 0), ('seats_left__isnull', False), ('seats_left__lte', models.F('seats'))), _connector='OR'), name='promotion_seats_within'),
        ),
    ]
