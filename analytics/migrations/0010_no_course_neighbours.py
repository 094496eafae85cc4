from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('analytics', '0009_no_recommendation'),
    ]

    operations = [
        migrations.DeleteModel(
            name='CourseNeighbours',
        ),
    ]
