"""UTF-8 with or without a mark, and GB18030; nothing else, and never by guess."""

from __future__ import annotations

import gzip

import pytest
from django.core.management import CommandError

from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

TEXT = 'external_id,display_name\nU_1,张三\nU_2,"李\u3000四"\nU_3,Müller 𠮷 🎓\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_it_tells_the_encoding_by_the_text(import_csv, csv_file, encoding):
    import_csv("users", csv_file(TEXT, encoding=encoding))
    names = User.objects.filter(import_source="csv").order_by("external_id")
    assert [user.display_name for user in names] == ["张三", "李\u3000四", "Müller 𠮷 🎓"]


@pytest.mark.parametrize("name", ["gbk", "GB2312", "gb18030"])
def test_it_takes_the_encoding_that_is_named(import_csv, csv_file, name):
    import_csv("users", csv_file("external_id,display_name\nU_1,张三\n", encoding="gbk"))
    outcome = import_csv(
        "users",
        csv_file("external_id,display_name\nU_1,李四\n", encoding="gbk"),
        "--encoding",
        name,
    )
    assert "GB18030" in outcome.out
    assert User.objects.get(external_id="U_1").display_name == "李四"


def test_it_tells_gb18030_that_begins_late_in_a_large_file(import_csv, csv_file):
    plain = "".join(f"U_{n},{'x' * 70}\n" for n in range(20_000))
    path = csv_file(f"external_id,display_name\n{plain}V,张三\n", encoding="gb18030")
    assert path.stat().st_size > 1 << 20
    import_csv("users", path)
    assert User.objects.get(external_id="V").display_name == "张三"


def test_it_reads_a_damaged_utf8_file_as_utf8(import_csv, csv_file):
    damaged = TEXT.encode() + b"U_4,\xe5\xbc\n"
    outcome = import_csv("users", csv_file(damaged))
    assert outcome.err.startswith("line 5: is not UTF-8 text")
    assert User.objects.get(external_id="U_1").display_name == "张三"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_it_refuses_utf16_and_says_what_to_do(import_csv, csv_file, encoding):
    with pytest.raises(CommandError, match=r"UTF-16.*save it as UTF-8"):
        import_csv("users", csv_file(TEXT, encoding=encoding))
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", "old spreadsheet"),
        (gzip.compress(TEXT.encode(), mtime=0), "gzip"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_it_names_a_file_that_is_no_text(import_csv, csv_file, content, message):
    with pytest.raises(CommandError, match=message):
        import_csv("users", csv_file(content))


def test_it_does_not_know_other_encodings(import_csv, csv_file):
    with pytest.raises(CommandError, match="use utf-8 or gb18030"):
        import_csv("users", csv_file(TEXT), "--encoding", "latin-1")
