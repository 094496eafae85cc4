"""What a line of chat may say: tidied, and searched for links and blocked words."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.chat_text import MOST_MARKS, has_blocked_word, has_link, tidied


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  你好\n\t世界  ", "你好 世界"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\u2066b\u2069\u200e\u200f\u061c", "ab"),
        ("\u200b\u200bpay\u200b\u2060\ufeff", "pay"),
        ("nul\x00 \x1b[31mred\x07", "nul [31mred"),
        ("broken \ud83d end", "broken end"),
        ("e\u0301", "\u00e9"),
        ("\u3164\u3164 \u2800", ""),
        ("\u200d\u200d\u200d", ""),
        ("一\u3000二", "一 二"),
        ("\ue000\uffff", ""),
    ],
)
def test_it_drops_what_nobody_can_see(raw: str, kept: str) -> None:
    assert tidied(raw) == kept


def test_it_keeps_emoji_made_of_several_and_scripts_that_need_joiners() -> None:
    family, heart, persian = "👩‍👩‍👧", "❤️", "می\u200cخواهم"
    assert tidied(f"{family} {heart} {persian}") == f"{family} {heart} {persian}"


def test_it_keeps_a_few_marks_on_a_letter_and_no_tower() -> None:
    tower = "q" + "\u0334\u0335\u0336" * 30 + "b"
    assert tidied(tower) == "q\u0334\u0335\u0336\u0334b"
    assert tidied("ที่นี่ שָׁלוֹם") == unicodedata.normalize("NFC", "ที่นี่ שָׁלוֹם")


def test_a_mark_without_a_letter_is_dropped() -> None:
    assert tidied("\u0336\u0336") == ""


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_tidied_text_is_one_line_that_a_database_takes_and_tidying_changes_no_more(
    raw: str,
) -> None:
    text = tidied(raw)

    text.encode()
    assert tidied(text) == text
    assert text == text.strip()
    assert not {"Cc", "Co", "Cs"} & {unicodedata.category(one) for one in text}
    n_marks = 0
    for one in text:
        n_marks = n_marks + 1 if unicodedata.category(one) in ("Mn", "Me") else 0
        assert n_marks <= MOST_MARKS


@pytest.mark.parametrize(
    "text",
    [
        "看 example.com 哦",
        "EXAMPLE.COM",
        "ｅｘａｍｐｌｅ．ｃｏｍ",
        "example。com点击",
        "example . com",
        "example .cn",
        "example(dot)com",
        "example[.]com",
        "example点com",
        "http://a",
        "weixin://dl/x",
        "www.example.xyz",
        "加我 vx@mail.com.cn",
        "bit.ly/3x",
        "t.me/abc",
        "1.2.3.4:8080",
        "shop.example.co/x",
    ],
)
def test_it_sees_links(text: str) -> None:
    assert has_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "v1.2.3.4",
        "node.js",
        "so on.It is good",
        "3.5折",
        "第1.5节 main.py",
        "and/or",
        "公司。中国",
        "a . b",
        "e.g. this",
        "10:30",
        "好的。com是什么",
        "version 2.0 vs 3.0",
    ],
)
def test_it_lets_through_what_may_be_honest(text: str) -> None:
    assert not has_link(text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("加微信聊", "加微信"),
        ("加 微*信", "加微信"),
        ("ＶＸ吧", "vx"),
        ("S p A m!", "spam"),
        ("buy s-p.a_m now", "Spam"),
        ("加\u200d微信", "加微信"),
        ("私聊vx有惊喜", "VX有"),
        ("🐶🐶", "🐶"),
    ],
)
def test_it_finds_a_blocked_word_however_it_is_spaced_or_wide(text: str, word: str) -> None:
    assert has_blocked_word(text, f"other\n {word} \n")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a class, as soon as", "ass"),
        ("vxa", "vx"),
        ("加了微软的信", "加微信"),
        ("hello", ""),
        ("hello", " \n \n"),
        ("s       p       a       m", "spam"),
    ],
)
def test_it_finds_no_word_inside_another(text: str, word: str) -> None:
    assert not has_blocked_word(text, word)


def test_a_long_list_of_words_is_searched_while_the_room_waits_no_longer_than_a_moment() -> None:
    words = "\n".join(f"word{n}" for n in range(600))
    begun = time.process_time()

    for text in ("w " * 250, "wo" * 250, "a." * 250, "aa . " * 100):
        assert not has_blocked_word(text, words)
        assert not has_link(text)

    # It takes some 10 ms; one pattern of all the words would take seconds.
    assert time.process_time() - begun < 0.5
