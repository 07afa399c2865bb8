"""Names that people, or what they downloaded, give to columns, classes and files. Whatever shows them shows text. No torch, no pytest.

`NAMES` are the names; `Page` is a page as a parser of HTML sees it, so that a test can ask what became elements and what stayed text.
"""

from __future__ import annotations

from html.parser import HTMLParser

MARKUP = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//x.test/a.js></SCRIPT>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=`alert(1)",
    "<a href='javascript:alert(1)'>press</a>",
    '<iframe srcdoc="<script>alert(1)</script>">',
    "<b>bold</b><br><hr>",
    "</td></tr></table><h1>out</h1>",
    "</style><style>*{display:none}</style>",
    "</title></svg></text><script>alert(1)</script>",
    "</textarea></script><script>alert(1)</script>",
    "<!-- a comment",
    "--><p>after</p>",
    "<![CDATA[x]]>",
    "<?xml version='1.0'?>",
    '<meta http-equiv="refresh" content="0;url=https://x.test">',
    "<base href=https://x.test/>",
    "<link rel=stylesheet href=https://x.test/a.css>",
    "<form action=https://x.test><input name=a>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<",
    "a<b & c>d",
)
ENTITIES = (
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;b&#62;",
    "&#x3c;img src=x onerror=alert(1)&#x3e;",
    "&amp;amp;",
    "&copy &nbsp; &notanentity;",
    "&",
)
QUOTES = (
    "'",
    '"',
    "'''",
    '"""',
    'O\'Brien "the" `third`',
    "\\",
    "\\'; DROP TABLE jobs; --",
    '"""\nraise SystemExit(3)\n"""',
    "'); __import__('os').system('exit 3'); ('",
    "'] = 1; raise SystemExit(3) #",
)
TEMPLATES = (
    "{{ 7 * 7 }}",
    "{% raise %}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%{x} %(x)s %s %d %n",
    "{0} {x!r} {",
    "@@version",
)
MATHS = (
    "$\\alpha$",
    "$$\\input{/etc/hostname}$$",
    "\\end{tabular}\\end{document}",
    "\\immediate\\write18{id}",
    "100% & 5_000 #1 ~ ^ {x}",
    "\\href{javascript:alert(1)}{press}",
)
MARKDOWN = (
    "[press](javascript:alert(1))",
    "![x](https://x.test/a.png)",
    "[a]: https://x.test",
    "<https://x.test>",
    "https://x.test/?q=1 www.x.test a@x.test",
    "| a | b |",
    "|---|---|",
    "# heading",
    "- [ ] item",
    "1. item",
    "> said",
    "`code` ```fence```",
    "**bold** _it_ ~~gone~~",
    ":material/home: :red[x] :smile:",
)
FORMULAS = (
    "=1+1",
    '=HYPERLINK("https://x.test";"press")',
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-1+1",
    "-",
    "@SUM(1;1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\ufeff=1+1",
    '"=1+1',
    "'=1+1",
    "\uff1d1+1",
    "\uff201+1",
)
CUTS = (
    "a,b",
    "a;b",
    "a;=1+1",
    "a\t=1+1",
    'a","b',
    "a\nb",
    "a\r\nb\r\n=1+1",
    "two\u2028lines\u2029three\x85four",
    "a\x0b\x0cb",
)
UNSEEN = (
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\x1b[2J\x1b[H",
    "\u202etxt.exe",
    "\u2066a\u2067b\u2069",
    "a\u200bb\u200ec\u061cd",
    "\x00",
    "nu\x00ll",
    "back\x08space\x7f\x9b",
    "\ud800",
    "\ufffe\uffff",
    "e" + "\u0301" * 40,
    "\U000e0041\U000e0042",
)
ODD = (
    "",
    " ",
    "   padded   ",
    "x" * 5000,
    "<" * 2000,
    "\u6f22\u5b57 \u05d0\u05d1 \u0627\u0628 \u0e20\u0e32",
    "\U0001f469\u200d\U0001f4bb\U0001f1f3\U0001f1f4",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "../../etc/passwd",
    "CON",
    "__proto__",
    "constructor",
    "None",
    "nan",
    "NaN",
    "inf",
    "1e5",
    "-3.5",
    "0x1F",
    "true",
)
KINDS: dict[str, tuple[str, ...]] = {
    "markup": MARKUP,
    "entities": ENTITIES,
    "quotes": QUOTES,
    "templates": TEMPLATES,
    "maths": MATHS,
    "markdown": MARKDOWN,
    "formulas": FORMULAS,
    "cuts": CUTS,
    "unseen": UNSEEN,
    "odd": ODD,
}
"""What each of them tries."""

NAMES: tuple[str, ...] = tuple(dict.fromkeys(name for names in KINDS.values() for name in names))
"""All of them, each once; more than a hundred. Some are empty, and one is a lone surrogate, which no file written as UTF-8 can hold."""

WRITABLE = tuple(name for name in NAMES if "\ud800" not in name)
"""Those that can be written as UTF-8."""


class Page(HTMLParser):
    """What a parser finds in HTML: elements [(tag, {attribute: value})] in their order, texts between them, and all else.

    other: comments, declarations and processing instructions, as written.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.ends: list[str] = []
        self.texts: list[str] = []
        self.other: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Also of elements without an end."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Closed elements, in their order."""
        self.ends.append(tag)

    def handle_data(self, data: str) -> None:
        """Character references are resolved already."""
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        """<!-- data -->."""
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        """<!decl>."""
        self.other.append(decl)

    def unknown_decl(self, data: str) -> None:
        """<![data]>."""
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        """<?data>."""
        self.other.append(data)

    @property
    def text(self) -> str:
        """All text."""
        return "".join(self.texts)

    @property
    def values(self) -> list[str]:
        """All values of attributes."""
        return [value for _, attributes in self.elements for value in attributes.values() if value is not None]

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements with the names of their attributes, without any text: the same for every name where names stay text."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]
