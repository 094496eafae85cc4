from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0010_no_course_neighbours")]

    # In this order: the foreign key of the person has an index at each moment.
    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["user", "occurred_at", "position", "kind", "course"], name="events_of_user"
            ),
        ),
        migrations.RemoveIndex(model_name="event", name="event_of_user"),
    ]
