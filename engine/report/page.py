"""Documents that are kept, printed or sent: one HTML file, no script, no font, no picture and no address from anywhere else.

What all reports share: their look, tables, figures, lists, and the file itself. Texts that are not ours are escaped by whoever builds a
report of these pieces (`engine.text.html`, `html_name`); what a piece takes as escaped already says so. No torch: the page uses this file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import BadParameter
from engine.report import svg as drawing
from engine.report import words
from engine.report.formats import format_interval
from engine.report.leaderboard import to_number
from engine.text import html as safe
from engine.text import one_line

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Of the file itself: whatever were in it, nothing could be loaded, run or sent."""

DASH = "\N{EN DASH}"

PROVENANCE = {
    "date": "Date", "device_name": "Processor", "machine": "Machine", "threads": "Threads", "precision": "Precision",
    "python": "Python", "torch": "PyTorch", "scikit_learn": "scikit-learn", "numpy": "numpy", "numerics": "Numerics", "commit": "Commit",
}  # fmt: skip

STYLE = """\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--card:#f4f6f8;--rule:#d5dae0;--plain:#767676;--lead:#0072b2;
--warm:#c05000;--green:#007e5b}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaee;--soft:#a5afb9;--paper:#12161b;--card:#1c2229;--rule:#363f49;--plain:#a3a3a3;
--lead:#5cb9ee;--warm:#f39a5c;--green:#2fe0ae}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1.25rem 3rem;max-width:68rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:.2rem 0 1rem}h2{font-size:1.3rem;margin:2.6rem 0 .6rem;padding-top:.9rem;
border-top:1px solid var(--rule)}h3{font-size:1.02rem;margin:1.5rem 0 .4rem}
p,ul,dl{margin:.5rem 0;max-width:46rem}
.verdict{font-size:1.15rem;line-height:1.45;padding:.9rem 1.1rem;margin:1rem 0;max-width:none;background:var(--card);
border-left:.3rem solid var(--lead);border-radius:.2rem}
.how{color:var(--soft);font-size:.92rem}.how b{color:var(--ink)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem}.facts dt{color:var(--soft)}.facts dd{margin:0}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;list-style:none;max-width:none;font-size:.95rem}
a{color:var(--lead)}
.scroll{overflow-x:auto;margin:.6rem 0}.scroll:focus-visible,a:focus-visible{outline:2px solid var(--lead);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.2rem 0 .4rem}
th,td{padding:.3rem .75rem .3rem 0;text-align:right;vertical-align:top;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child,.text{text-align:left}thead th{vertical-align:bottom;color:var(--soft);font-weight:600}
tbody th{font-weight:600}td.text,th.text:not(:first-child){padding-left:.75rem}
td,thead th{overflow-wrap:normal}td.text{overflow-wrap:break-word;max-width:46rem}
tbody th{min-width:7rem;max-width:18rem}.range{display:block;color:var(--soft);font-size:.85em;white-space:nowrap}
.dense{font-size:.79rem}.dense th,.dense td{padding-right:.5rem}.dense tbody th{min-width:5.5rem}
.now{white-space:nowrap}.kept{background:var(--card)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(max(20rem,45%),100%),1fr));
gap:1rem 2rem}
.few{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(16rem,100%),1fr));gap:1rem 1.5rem}
figure{margin:.6rem 0;min-width:0;max-width:34rem}figcaption{font-size:.92rem;margin-bottom:.3rem}figcaption b{display:block}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;align-items:center;font-size:.92rem;padding:0;list-style:none}
.legend li{display:flex;gap:.45rem;align-items:center}svg.swatch{width:2.6rem;flex:none}
pre{background:var(--card);padding:.8rem 1rem;border-radius:.2rem;overflow-x:auto;
font:.82rem/1.5 ui-monospace,SFMono-Regular,Consolas,monospace;white-space:pre-wrap}
.warning{font-weight:600}
footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid var(--rule);color:var(--soft);font-size:.9rem}
@media(max-width:34rem){.facts{grid-template-columns:1fr;gap:0}.facts dd{margin:0 0 .5rem}body{padding:1rem .9rem 2rem}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--card:#f4f4f4;--rule:#bbb;--plain:#666;
--lead:#005a8e;--warm:#a04300;--green:#00614a}body{padding:0;max-width:none;font-size:10pt}nav{display:none}.scroll{overflow:visible}
table{font-size:8pt}.dense{font-size:6.2pt}.dense th,.dense td{padding-right:.2rem}.dense tbody th{min-width:4rem}
th,td{padding-right:.4rem}h2,h3,figcaption,caption{break-after:avoid}figure,tr,.verdict{break-inside:avoid}thead{display:table-header-group}}
"""


def write_document(
    title: str,
    lead: str,
    sections: Sequence[tuple[str, str, str]],
    *,
    holds: str,
    more: Sequence[str] = (),
    plain_title: str = "",
    date: str = "",
    style: str = "",
) -> str:
    """The file. title: HTML, escaped already; plain_title: the same without markup, not escaped, where the title has any.

    lead: the verdict, not escaped; more: sentences with its numbers, not escaped. sections: (id, title, body), title and body
    escaped already; those without a body
    are left out. holds: what the file holds, ours. style: rules beside those that all reports share.
    """
    there = [(key, heading, body) for key, heading, body in sections if body]
    links = "".join(f'<li><a href="#{key}">{heading}</a></li>' for key, heading, _ in there)
    body = "".join(
        f'<section id="{key}" aria-labelledby="{key}-h"><h2 id="{key}-h">{heading}</h2>{text}</section>'
        for key, heading, text in there
    )
    when = f" on {safe(date)}" if date else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{safe(POLICY)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
        f"<title>{safe(plain_title, 120) or title}</title><style>{STYLE}{drawing.STYLE}{style}</style></head>\n"
        f'<body><main><h1>{title}</h1><p class="verdict">{safe(lead)}</p>'
        + (f'<p class="how">{safe(" ".join(more))}</p>' if more else "")
        + f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n{body}</main>\n'
        f"<footer><p>{words.FOOTER.format(when=when, holds=holds)}</p></footer>"
        "</body></html>\n"
    )


def check_path(file: Path | None) -> None:
    """Raises BadParameter where no report could be written there. file: None where no report is wanted."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise BadParameter(f"--report {one_line(file, 200)!r}: must be the name of a file in a folder that exists.")


def write_file(file: Path, text: str) -> None:
    """Writes a report. Raises BadParameter where it cannot be written."""
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise BadParameter(f"--report {one_line(file, 200)!r} cannot be written: {why}.") from error


# ---- pieces


def html_name(text: object, limit: int = 80) -> str:
    """A name from the data: escaped, its direction of writing isolated (<bdi>)."""
    return f"<bdi>{safe(text, limit)}</bdi>"


def html_how(text: str) -> str:
    return f'<p class="how"><b>{words.HOW}</b> {text}</p>'


def html_list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def html_facts(pairs: Sequence[tuple[str, str]]) -> str:
    """A list of (term, text), escaped already; terms without text are left out."""
    return f'<dl class="facts">{"".join(f"<dt>{term}</dt><dd>{said}</dd>" for term, said in pairs if said)}</dl>'


def html_table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    texts: Sequence[int] = (),
    kept: Sequence[int] = (),
    dense: bool = False,
) -> str:
    """A table whose first column names the rows. All cells are escaped already.

    texts: columns of text; kept: rows that stand out; dense: set small, for many columns.
    """
    classes = [' class="text"' if i in texts else "" for i in range(len(head))]
    top = "".join(f'<th scope="col"{cls}>{cell}</th>' for cell, cls in zip(head, classes, strict=True))
    body = []
    for k, row in enumerate(rows):
        first, *rest = row
        cells = "".join(f"<td{cls}>{cell}</td>" for cell, cls in zip(rest, classes[1:], strict=True))
        body.append(f'<tr{" class=kept" if k in kept else ""}><th scope="row">{first}</th>{cells}</tr>')
    return html_scroll(caption, f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody>", dense=dense)


def html_scroll(caption: str, inside: str, *, dense: bool = False) -> str:
    """A table in a frame that scrolls where the page is narrow, by keyboard too. caption: without markup."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{safe(caption, 200)}">'
        f"<table{' class=dense' if dense else ''}><caption>{caption}</caption>{inside}</table></div>"
    )


def html_figure(title: str, caption: str, svg: str) -> str:
    return f"<figure><figcaption><b>{title}</b>{caption}</figcaption>{svg}</figure>"


def html_interval(values: Mapping[str, Any], *, sign: bool = False) -> str:
    """Mean, and under it the interval."""
    mean, _, rest = format_interval(values, sign=sign).partition(" ")
    return f'<span class="now">{mean}</span>' + (f'<span class="range">{rest}</span>' if rest else "")


def format_fixed(x: Any, digits: int = 3) -> str:
    found = to_number(x)
    return DASH if math.isnan(found) else f"{found:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def format_signed(x: Any, digits: int = 3) -> str:
    """A difference."""
    found = to_number(x)
    return DASH if math.isnan(found) else f"{found:+,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def format_count(x: Any) -> str:
    """A number of rows, which may be a mean."""
    found = to_number(x)
    return DASH if math.isnan(found) else f"{found:,.0f}" if abs(found - round(found)) < 0.05 else f"{found:,.1f}"


def html_more(n: int, shown: int, noun: str) -> str:
    return f"<p>{words.MORE.format(n=n - shown, noun=noun)}</p>" if n > shown else ""


def format_params(params: Mapping[str, Any]) -> str:
    """name = value, ..., escaped."""
    return safe(", ".join(f"{k} = {f'{v:g}' if isinstance(v, float) else v}" for k, v in params.items()), 1000) or DASH
