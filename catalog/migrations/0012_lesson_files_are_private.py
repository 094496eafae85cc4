import catalog.private_files
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0011_purchase_coupon_within_reduction'),
    ]

    operations = [
        migrations.AlterField(
            model_name='lesson',
            name='file',
            field=models.FileField(blank=True, storage=catalog.private_files.private_storage, upload_to='lessons/', verbose_name='file'),
        ),
    ]
