"""Rows that no import may take: each is refused by its line and reason, and its neighbours stay."""

from __future__ import annotations

import csv

import pytest

from accounts.models import User
from analytics.models import Event
from catalog.models import Course
from streams.models import LiveSession
from tests.factories import CourseFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

HEADERS = {
    "users": "external_id,display_name,gender,birth_year,occupation,joined_at",
    "courses": "external_id,title,description,list_price,currency,level,kind,published_at,tags",
    "interactions": "user,course,kind,occurred_at,position,value",
    "sessions": "external_id,title,started_at,ended_at,n_viewers,n_buyers,n_orders,gmv,net_sales,"
    "peak_viewers,n_views",
}
GOOD = {
    "users": ("ok1,A,,,,", "ok2,B,,,,"),
    "courses": ("ok1,A,,,,,,,", "ok2,B,,,,,,,"),
    "interactions": ("U_1,C_1,,,0,", "U_1,C_1,,,1,"),
    "sessions": (
        "ok1,A,2026-01-01 20:00,2026-01-01 21:00,10,1,,,,,",
        "ok2,B,2026-01-01 20:00,2026-01-01 21:00,10,1,,,,,",
    ),
}
MODELS = {"users": User, "courses": Course, "interactions": Event, "sessions": LiveSession}
TIMES = "2026-01-01 20:00,2026-01-01 21:00"

# target, the row (text or bytes), a part of the reason
POISONED = [
    # Bytes that are no text
    ("users", b"u\xff\xfe,A,,,,", "is not UTF-8 text"),
    ("users", "u,北京,,,,".encode("gb18030"), "is not UTF-8 text"),
    ("users", b"u,\xed\xa0\x80,,,,", "is not UTF-8 text"),
    ("users", b"u,A\0B,,,,", "contains a NUL byte"),
    ("users", b"\0", "contains a NUL byte"),
    # Text that is no cell
    ("users", b"u,A\x07,,,,", "control character (U+0007)"),
    ("users", b"u,\x1b[31mred,,,,", "control character (U+001B)"),
    ("users", "u,A\x85B,,,,", "control character (U+0085)"),
    ("users", 'u,"A\nB",,,,', "display_name: contains a line break"),
    ("users", '"u\n1",A,,,,', "external_id: contains a line break"),
    ("users", "u,A\rB,,,,", "carriage return"),
    # Rows of another shape
    ("users", "u,A", "has 2 cells, the header has 6"),
    ("users", "u,A,,,,,extra", "has 7 cells, the header has 6"),
    ("users", "u;A;;;;", "has 1 cells, the header has 6"),
    ("users", 'u,"A"B,,,,', "closing quotation mark"),
    ("users", 'u,"A,,,,', "quotation mark is opened and not closed"),
    ("users", '"u,A,,,,', "quotation mark is opened and not closed"),
    # Cells too long
    ("users", f"{'u' * 65},A,,,,", "external_id: is 65 characters long, at most 64 fit"),
    ("users", f"u,{'人' * 81},,,,", "display_name: is 81 characters long, at most 80 fit"),
    ("users", f"u,{'x' * 131_073},,,,", "a cell is longer than 131,072 characters"),
    ("users", f"u,{'x' * 2_000_000},,,,", "the line is longer than 1,048,576 bytes"),
    ("courses", f"c,{'x' * 201},,,,,,,", "title: is 201 characters long"),
    ("courses", f"c,A,{'x' * 50_001},,,,,,", "description: is 50,001 characters long"),
    ("courses", f"c,A,,,,,,,{'|'.join(map(str, range(51)))}", "tags: has 51 values"),
    # What a spreadsheet would run
    ("users", "=1+1,A,,,,", "external_id:"),
    ("users", 'u,"=HYPERLINK(""http://x"")",,,,', "begins like a spreadsheet formula"),
    ("users", "u,=cmd|' /C calc'!A0,,,,", "begins like a spreadsheet formula"),
    ("users", "u,+1+1,,,,", "begins like a spreadsheet formula"),
    ("users", "u,-1+1,,,,", "begins like a spreadsheet formula"),
    ("users", "u,@SUM(A1),,,,", "begins like a spreadsheet formula"),
    ("users", "u,  =1+1,,,,", "begins like a spreadsheet formula"),
    ("courses", 'c,A,"=1\n+1",,,,,,', "begins like a spreadsheet formula"),
    ("courses", "c,A,,,,,,,art|=1+1", "tags:"),
    ("interactions", "=U_1,C_1,,,5,", "begins like a spreadsheet formula"),
    # Empty where something must be
    ("users", ",A,,,,", "external_id: is empty"),
    ("users", "  ,A,,,,", "external_id: is empty"),
    ("courses", "c,,,,,,,,", "title: is empty"),
    ("sessions", f"l,A,{TIMES},,1,,,,,", "n_viewers: is empty"),
    ("sessions", "l,A,2026-01-01 20:00,,10,1,,,,,", "neither an end nor a length"),
    ("interactions", "U_1,,,,5,", "has neither a course nor a live session"),
    ("interactions", "U_1,C_1,,,,", "has neither a time nor a position"),
    # No number, or none that can be meant
    ("interactions", "U_1,C_1,,,5,NaN", 'value: "NaN" is not a number'),
    ("interactions", "U_1,C_1,,,5,inf", "is not a number"),
    ("interactions", "U_1,C_1,,,5,-inf", "is not a number"),
    ("interactions", "U_1,C_1,,,5,1e308", "is not between 0 and 1e+09"),
    ("interactions", "U_1,C_1,,,5,1e999", "is not between 0 and 1e+09"),
    ("interactions", "U_1,C_1,,,5,-3.5", 'value: "-3.5" is not between 0'),
    ("interactions", "U_1,C_1,,,5,1_000", "is not a number"),
    ("interactions", "U_1,C_1,,,5,0x10", "is not a number"),
    ("interactions", "U_1,C_1,,,5,１２", "is not a number"),
    ("interactions", 'U_1,C_1,,,5,"1,000"', "is not a number"),
    ("interactions", "U_1,C_1,,,-1,", 'position: "-1" is not between 0'),
    ("interactions", "U_1,C_1,,,1.5,", "position:"),
    ("interactions", "U_1,C_1,,,2147483648,", "is not between 0 and 2147483647"),
    ("interactions", f"U_1,C_1,,,{'9' * 300},", "is not between 0 and 2147483647"),
    ("interactions", f"U_1,C_1,,,{'9' * 5000},", "is not a whole number"),
    ("courses", "c,A,,-1,,,,,", 'list_price: "-1" is not between 0'),
    ("courses", "c,A,,0.001,,,,,", "more than two decimals"),
    ("courses", "c,A,,1e3,,,,,", "is not an amount"),
    ("courses", "c,A,,100000000,,,,,", "list_price:"),
    ("courses", "c,A,,¥10,,,,,", "is not an amount"),
    ("users", "u,A,,1899,,", "birth_year:"),
    ("users", "u,A,,2999,,", "birth_year:"),
    ("sessions", f"l,A,{TIMES},10,-1,,,,,", "n_buyers:"),
    ("sessions", f"l,A,{TIMES},1e308,1,,,,,", "n_viewers:"),
    # Words that are none of the known ones
    ("users", "u,A,unknown,,,", "gender:"),
    ("users", "u,A,,,astronaut,", "occupation:"),
    ("courses", "c,A,,,cny,,,,", "currency:"),
    ("courses", "c,A,,,,expert,,,", "level:"),
    ("courses", "c,A,,,,,podcast,,", "kind:"),
    ("interactions", "U_1,C_1,bought,,5,", 'kind: "bought" is none of impression, view'),
    # Times that were not
    ("users", "u,A,,,,2026-02-30", "that does not exist"),
    ("users", "u,A,,,,2026-01-01 24:30", "that does not exist"),
    ("users", "u,A,,,,2025-02-29", "that does not exist"),
    ("users", "u,A,,,,0001-01-02", "is before 1990"),
    ("users", "u,A,,,,1970-01-01 00:00", "is before 1990"),
    ("users", "u,A,,,,9999-12-31 23:59:59", "joined_at:"),
    ("users", "u,A,,,,9999-12-31T23:59:59-23:59", "that does not exist"),
    ("users", "u,A,,,,tomorrow", "is not a date or time such as"),
    ("users", "u,A,,,,45678", "is not a date or time such as"),
    ("users", "u,A,,,,01/02/2026", "is not a date or time such as"),
    ("interactions", "U_1,C_1,,2199-01-01,,", "is in the future"),
    ("courses", "c,A,,,,,,2199/1/1,", "published_at:"),
    ("sessions", "l,A,2026-01-01 20:00,2199-01-01,10,1,,,,,", "ended_at:"),
    ("sessions", "l,A,2026-01-01 21:00,2026-01-01 20:00,10,1,,,,,", "is before started_at"),
    ("sessions", "l,A,2026-01-01,2026-01-05,10,1,,,,,", "more than 3 days after"),
    # Ids of nobody
    ("interactions", "U_9,C_1,,,5,", 'user: "U_9" is not known'),
    ("interactions", "U_1,C_9,,,5,", 'course: "C_9" is not known'),
    ("interactions", "u_1,C_1,,,5,", 'user: "u_1" is not known'),
    # Counts that contradict one another
    ("sessions", f"l,A,{TIMES},10,11,,,,,", "n_buyers: 11 is more than n_viewers, 10"),
    ("sessions", f"l,A,{TIMES},10,5,4,,,,", "n_buyers: 5 is more than n_orders, 4"),
    ("sessions", f"l,A,{TIMES},10,5,,9,10,,", "net_sales:"),
    ("sessions", f"l,A,{TIMES},10,5,,,,11,", "peak_viewers: 11 is more than n_viewers"),
    ("sessions", f"l,A,{TIMES},10,5,,,,,9", "n_viewers: 10 is more than n_views, 9"),
]


def name_of(case):
    return f"{case[0]}-{case[1]!r:.40}"


@pytest.mark.parametrize(("target", "row", "reason"), POISONED, ids=map(name_of, POISONED))
def test_it_refuses_the_row_and_takes_its_neighbours(
    import_csv, csv_file, tmp_path, target, row, reason
):
    UserFactory(import_source="csv", external_id="U_1")
    CourseFactory(import_source="csv", external_id="C_1")
    n_before = MODELS[target].objects.filter(**_imported(target)).count()
    row = row if isinstance(row, bytes) else row.encode()
    first, second = (good.encode() for good in GOOD[target])
    path = csv_file(b"\n".join([HEADERS[target].encode(), first, row, second, b""]))
    report = tmp_path / "refused.csv"

    outcome = import_csv(target, path, "--encoding", "utf-8", "--refused", report)

    assert outcome.last.startswith("2 rows stored, 0 already there, 1 refused"), outcome
    assert MODELS[target].objects.filter(**_imported(target)).count() == n_before + 2
    assert outcome.err.startswith("line 3: ")
    assert reason in outcome.err
    with report.open(newline="") as file:
        header, refused = csv.reader(file)
    assert header == ["line", "reason", "row"]
    assert refused[0] == "3"
    assert reason in refused[1]
    # The report is opened in a spreadsheet: nothing in it may be run.
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in refused)


def _imported(target):
    return (
        {} if target == "interactions" else {"import_source": "csv", "external_id__isnull": False}
    )


def test_it_names_everything_that_is_wrong_with_a_row(import_csv, csv_file):
    outcome = import_csv("users", csv_file("external_id,gender,birth_year\nu,x,y\nv,,\n"))
    assert 'gender: "x" is none of' in outcome.err
    assert 'birth_year: "y" is not a whole number' in outcome.err


def test_it_counts_lines_where_cells_span_several(import_csv, csv_file):
    path = csv_file(
        'external_id,title,description\r\nc1,A,"one\r\ntwo\r\n\r\nfour"\r\n\r\nc2,,\r\n'
        'c3,B,"x\ny"\nc4,"",\n'
    )
    outcome = import_csv("courses", path)
    assert outcome.err.splitlines() == ["line 7: title: is empty", "line 10: title: is empty"]
    assert Course.objects.get(external_id="c1").description == "one\r\ntwo\r\n\r\nfour"


def test_it_loses_one_line_to_a_stray_quotation_mark_not_the_rest_of_the_file(import_csv, csv_file):
    rows = [f"u{n},A" for n in range(50)]
    rows[10] = '"u10,A'
    outcome = import_csv("users", csv_file("external_id,display_name\n" + "\n".join(rows)))
    assert outcome.last.startswith("49 rows stored, 0 already there, 1 refused")
    assert outcome.err.startswith("line 12: a quotation mark is opened")


def test_it_does_not_look_for_a_closing_mark_through_a_whole_large_file(import_csv, csv_file):
    """The look ahead is bounded: what stands behind it is read once more, from the next line."""
    rows = "".join(f"u{n},{'x' * 80}\n" for n in range(15_000))
    outcome = import_csv("users", csv_file(f'external_id,display_name\n"u,A\n{rows}"u,B"\n'))
    assert "15,000 rows stored" in outcome.last
    assert "2 refused" in outcome.last


def test_it_reports_every_refused_row_on_the_screen_without_a_file_for_them(import_csv, csv_file):
    rows = "".join(f"u{n},x\n" for n in range(100))
    outcome = import_csv("users", csv_file(f"external_id,gender\n{rows}"))
    assert len(outcome.err.splitlines()) == 100


def test_it_reports_few_on_the_screen_and_all_in_the_file(import_csv, csv_file, tmp_path):
    rows = "".join(f"u{n},x\n" for n in range(100))
    report = tmp_path / "refused.csv"
    outcome = import_csv("users", csv_file(f"external_id,gender\n{rows}"), "--refused", report)
    assert len(outcome.err.splitlines()) == 21
    assert len(report.read_text().splitlines()) == 101
