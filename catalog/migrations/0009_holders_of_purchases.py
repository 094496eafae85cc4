from django.db import migrations
from django.db.models import Max, OuterRef, Subquery

BATCH = 5_000


def set_holders(apps, schema_editor):
    """The buyer holds every line that is paid or waits; of one course twice, the newest line."""
    Purchase = apps.get_model("catalog", "Purchase")
    Order = apps.get_model("catalog", "Order")
    open_lines = Purchase.objects.filter(
        order__status__in=["paid", "pending"], refunded_at=None, holder=None
    )
    newest = open_lines.values("order__buyer", "course").annotate(newest=Max("pk"))
    keys = list(newest.values_list("newest", flat=True))
    buyer = Order.objects.filter(pk=OuterRef("order_id")).values("buyer")
    for start in range(0, len(keys), BATCH):
        Purchase.objects.filter(pk__in=keys[start : start + BATCH]).update(holder=Subquery(buyer))


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0008_purchase_holder'),
    ]

    operations = [migrations.RunPython(set_holders, migrations.RunPython.noop)]
