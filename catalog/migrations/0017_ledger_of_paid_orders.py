from django.db import migrations

BATCH = 2_000


def record_what_was_paid(apps, schema_editor):
    """A charge for each order that was paid, a refund for each line that was given back."""
    Order = apps.get_model("catalog", "Order")
    Purchase = apps.get_model("catalog", "Purchase")
    LedgerEntry = apps.get_model("catalog", "LedgerEntry")
    charges = (
        LedgerEntry(
            order=order,
            key="charge",
            kind="charge",
            amount=order.total,
            currency=order.currency,
            recorded_at=order.paid_at,
        )
        for order in Order.objects.filter(status__in=["paid", "refunded"]).iterator()
    )
    LedgerEntry.objects.bulk_create(charges, batch_size=BATCH)
    refunds = (
        LedgerEntry(
            order=line.order,
            purchase=line,
            key=f"refund-{line.pk}",
            kind="refund",
            amount=line.price,
            currency=line.order.currency,
            recorded_at=line.refunded_at,
        )
        for line in Purchase.objects.exclude(refunded_at=None).select_related("order").iterator()
    )
    LedgerEntry.objects.bulk_create(refunds, batch_size=BATCH)


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0016_ledger_entry'),
    ]

    operations = [migrations.RunPython(record_what_was_paid, migrations.RunPython.noop)]
