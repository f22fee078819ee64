"""Where a webhook may send: what its URL may be, before anybody is asked for the address behind a name.

The addresses of names are looked at when they are connected to, each time: what is refused here is refused early, so
that whoever makes a webhook learns it at once.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from app.use_cases.errors import InvalidRequestError

__all__ = ["LONGEST_URL", "refuse_bad_url"]

LONGEST_URL: Final = 2_000

# RFC 3986, and nothing that readers of URLs understand differently: no backslash, no blank, nothing beyond ASCII.
_FORM: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#\\@]*)"
    r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*)?"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LONGEST_NAME: Final = 253
_LOOPBACK: Final = ("127.0.0.1", "::1")
_NOT_ALLOWED: Final = "expected an address that anybody on the internet can reach"


def refuse_bad_url(
    url: str, is_public: Callable[[str], bool], is_own: Callable[[str], bool], *, with_http: bool
) -> None:
    """Let a URL pass that messages may be sent to.

    Args:
        url: as it was sent.
        is_public: whether anybody on the internet can reach an address.
        is_own: whether it is allowed though nobody can, over http, too.
        with_http: whether there are such addresses.

    Raises:
        InvalidRequestError: nothing may ever be sent there.
    """
    fault = _fault(url, is_public, is_own, with_http=with_http)
    if fault is not None:
        raise InvalidRequestError("/url", fault)


def _fault(  # noqa: PLR0911 - each is a rule
    url: str, is_public: Callable[[str], bool], is_own: Callable[[str], bool], *, with_http: bool
) -> str | None:
    if len(url) > LONGEST_URL:
        return f"expected at most {LONGEST_URL} characters"
    if not url.isascii():
        return "expected ASCII: a name in other letters is written as xn--…, all else percent-encoded"
    if "#" in url:
        return "expected no fragment"
    if "@" in url.partition("://")[2].partition("/")[0].partition("?")[0]:
        return "expected no name and no password: each message is signed"
    found = _FORM.fullmatch(url)
    if found is None:
        return "expected a URL as RFC 3986 has it, such as https://crm.example/partwise"
    if found["scheme"] == "http" and not with_http:
        return "expected https"
    parts = _AUTHORITY.fullmatch(found["authority"])
    if parts is None:
        return "expected a host, and a port where it is not the usual one"
    if parts["port"] is not None and not 1 <= int(parts["port"]) <= 65_535:
        return "expected a port from 1 to 65535"

    def is_allowed(address: str) -> bool:
        return is_own(address) or (found["scheme"] == "https" and is_public(address))

    return _fault_of_host(parts["host"], is_allowed)


def _fault_of_host(host: str, is_allowed: Callable[[str], bool]) -> str | None:
    labels = host.split(".")
    if host[0] == "[" or _NUMBER.fullmatch(labels[-1]):
        try:
            address = str(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            # What ends in a number is an address to many readers: `127.1`, `0x7f.1`, `2130706433`.
            return "expected a name, or an address such as 203.0.113.7 or [2001:db8::7]"
        return None if is_allowed(address) else _NOT_ALLOWED
    if not labels[-1]:
        return "expected a host without a dot at its end"
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        return f"expected a name of at most {_LONGEST_NAME} characters, each part of 1 to 63"
    # A name that is never asked for (RFC 6761).
    if labels[-1].lower() == "localhost" and not any(map(is_allowed, _LOOPBACK)):
        return _NOT_ALLOWED
    return None
