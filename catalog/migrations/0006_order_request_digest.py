from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_promotion_seats_are_whole'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='request_digest',
            field=models.CharField(db_default='', default='', editable=False, max_length=64),
        ),
    ]
