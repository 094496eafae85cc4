from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0010_chat_message_sent_once'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='chatmessage',
            index=models.Index(fields=['live_session', 'author', 'sent_at'], name='chat_of_author'),
        ),
    ]
