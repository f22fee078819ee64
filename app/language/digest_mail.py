"""A digest laid out: as plain text, as the HTML of a mail, and as a mail with both."""

import hashlib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from textwrap import wrap
from typing import Final

from app.core.verdict import Verdict
from app.language.digests import SaidClient, SaidDigest

__all__ = ["as_html", "as_mail", "as_text"]

_WIDTH: Final = 78
_ENCODED: Final = 76
_HEAD: Final = 200
"""Characters of a line of the head: so that none is folded right behind its name."""
_COLOURS: Final = {
    Verdict.KEEP: "#1f6b3b",
    Verdict.WATCH: "#7a5200",
    Verdict.RENEGOTIATE: "#a03c00",
    Verdict.PART: "#a4161a",
}
_TEXT: Final = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#1c1c1e;line-height:1.45"
_QUIET: Final = "color:#5a5a60"


def as_text(said: SaidDigest) -> str:
    """Plain text: its first line is the subject."""
    return "\n".join((said.subject, "", *_body(said)))


def _body(said: SaidDigest) -> Iterator[str]:
    for line in said.opening:
        yield from wrap(line, _WIDTH)
    number = 0
    for section in said.sections:
        yield from ("", "", section.title.upper())
        for client in section.clients:
            number += 1
            yield from ("", *_client_lines(number, client, said.why))
    if said.closing:
        yield from ("", "")
        for line in said.closing:
            yield from wrap(line, _WIDTH)
    yield ""


def _client_lines(number: int, client: SaidClient, why: str) -> Iterator[str]:
    yield f"{number}. {_plain(client.name)}: {_verdicts(client)}"
    yield from _indented(f"{client.score}. {client.client_type}.")
    if client.chief_reasons:
        yield f"   {why}:"
        for reason in client.chief_reasons:
            yield from wrap(
                _plain(reason.line),
                _WIDTH,
                initial_indent="   - ",
                subsequent_indent="     ",
                break_long_words=False,
                break_on_hyphens=False,
            )
    for remark in client.remarks:
        yield from _indented(remark)
    if client.at_risk:
        yield from _indented(f"{client.at_risk}.")
    if not client.is_well:
        yield from _indented(client.advice)


def _indented(text: str) -> list[str]:
    return wrap(
        _plain(text),
        _WIDTH,
        initial_indent="   ",
        subsequent_indent="   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(text: str) -> str:
    """In one line: names are what others wrote, and are not to begin lines of their own."""
    return " ".join(text.split())


def _verdicts(client: SaidClient) -> str:
    before = client.verdict_before
    return client.verdict if before in (None, client.verdict) else f"{before} → {client.verdict}"


def as_html(said: SaidDigest) -> str:
    """The HTML of a mail: all styles are in it, nothing is loaded and nothing is run."""
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{said.language}">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(_plain(said.subject))}</title>",
            "</head>",
            f'<body style="margin:0;padding:24px;background:#ffffff;{_TEXT}">',
            '<div style="max-width:640px;margin:0 auto">',
            f'<h1 style="font-size:20px;margin:0 0 12px">{escape(_plain(said.subject))}</h1>',
            *(f'<p style="margin:0 0 4px">{escape(line)}</p>' for line in said.opening),
            *_sections(said),
            *(
                f'<p style="margin:{"24px" if place == 0 else "0"} 0 4px;font-size:14px;{_QUIET}">{escape(line)}</p>'
                for place, line in enumerate(said.closing)
            ),
            "</div>",
            "</body>",
            "</html>",
            "",
        )
    )


def _sections(said: SaidDigest) -> Iterator[str]:
    for section in said.sections:
        yield (
            '<h2 style="font-size:16px;margin:28px 0 8px;padding-bottom:4px;border-bottom:1px solid #d9d9de">'
            f"{escape(section.title)}</h2>"
        )
        for client in section.clients:
            yield from _card(client)


def _card(client: SaidClient) -> Iterator[str]:
    change = client.found.change
    colour = _COLOURS[change.after.verdict]
    yield f'<div style="margin:0 0 20px;padding:2px 0 2px 12px;border-left:4px solid {colour}">'
    badge = f'<strong style="color:{colour}">{escape(client.verdict)}</strong>'
    if client.verdict_before not in (None, client.verdict):
        badge = f'<span style="{_QUIET}">{escape(client.verdict_before or "")} →</span> {badge}'
    yield f'<h3 style="font-size:16px;margin:0 0 2px">{escape(_plain(client.name))}: {badge}</h3>'
    yield (
        f'<p style="margin:0 0 6px;font-size:14px;{_QUIET}">{escape(client.score)}. {escape(client.client_type)}.</p>'
    )
    if client.chief_reasons:
        yield '<ul style="margin:0 0 6px;padding-left:20px">'
        for reason in client.chief_reasons:
            yield f"<li>{escape(_plain(reason.line))}</li>"
        yield "</ul>"
    for remark in client.remarks:
        yield f'<p style="margin:0 0 6px">{escape(remark)}</p>'
    if client.at_risk:
        yield f'<p style="margin:0 0 6px;font-weight:bold">{escape(client.at_risk)}</p>'
    if not client.is_well:
        yield f'<p style="margin:0 0 6px">{escape(client.advice)}</p>'
    yield "</div>"


def as_mail(said: SaidDigest) -> bytes:
    """A mail with both, to which who sends it adds from whom and to whom it is (RFC 5322)."""
    mail = EmailMessage(policy=SMTP.clone(max_line_length=_ENCODED))
    mail["Subject"] = _plain(said.subject)
    text, html = "\n".join(_body(said)), as_html(said)
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    mail["Content-Language"] = said.language
    # The same mail for the same digest, so that its tag holds.
    mail.set_boundary(hashlib.sha256(html.encode()).hexdigest()[:32])
    return mail.as_bytes(policy=SMTP.clone(max_line_length=_HEAD))
