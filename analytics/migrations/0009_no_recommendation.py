from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0008_list_exposure'),
    ]

    operations = [
        migrations.DeleteModel(
            name='Recommendation',
        ),
    ]
