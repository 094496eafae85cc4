from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0008_restriction'),
    ]

    operations = [
        migrations.AddField(
            model_name='chatmessage',
            name='key',
            field=models.UUIDField(blank=True, editable=False, null=True, verbose_name='key'),
        ),
    ]
