from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0009_chat_message_key'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='chatmessage',
            constraint=models.UniqueConstraint(fields=('author', 'live_session', 'key'), name='chat_message_sent_once'),
        ),
    ]
