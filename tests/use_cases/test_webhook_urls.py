"""Which URLs webhooks may have, before anybody is asked for an address."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outgoing.addresses import is_own, is_public
from app.use_cases.errors import InvalidRequestError
from app.use_cases.webhook_urls import LONGEST_URL, refuse_bad_url

GOOD = [
    "https://crm.example/partwise",
    "https://crm.example",
    "https://crm.example?token=a%20b&x=[".replace("[", "%5B"),
    "https://CRM.Example:8443/a/b;c=1?d=e/f",
    "https://xn--mnchen-3ya.example/",
    "https://8.8.8.8/",
    "https://8.8.8.8:65535/",
    "https://[2001:4860:4860::8888]/",
    "https://[2001:4860:4860::8888]:8443/x",
    "https://a_b.example/",
    "https://10.example/",
    "https://x." + "a" * 63 + ".example/",
    "https://crm.example/" + "x" * (LONGEST_URL - 20),
]
BAD = [
    "",
    "x",
    "//crm.example/",
    "/x",
    "crm.example",
    "ftp://crm.example/",
    "file:///etc/passwd",
    "gopher://crm.example/",
    "javascript:alert(1)",
    "HTTPS://crm.example/",
    "http://crm.example/",
    "https:/crm.example/",
    "https:crm.example",
    "https://",
    "https:///x",
    "https://:443/",
    "https://?x",
    "https://crm.example:/",
    "https://crm.example:0/",
    "https://crm.example:65536/",
    "https://crm.example:99999999/",
    "https://crm.example:-1/",
    "https://crm.example:443:443/",
    "https://crm.example:８443/",
    "https://user@crm.example/",
    "https://user:secret@crm.example/",
    "https://@crm.example/",
    "https://crm.example@127.0.0.1/",
    "https://crm.example\\@127.0.0.1/",
    "https://127.0.0.1\\.crm.example/",
    "https://crm.example/#x",
    "https://crm.example/#",
    "https://crm.example#@127.0.0.1/",
    "https://crm.example/ x",
    " https://crm.example/",
    "https://crm.example/\n",
    "https://crm.example/\r\nHost: other",
    "https://crm.example/\t",
    "https://crm.example/\x00",
    "https://crm .example/",
    "https://crm.example/%",
    "https://crm.example/%zz",
    "https://crm.example/<x>",
    "https://crm.example/{x}",
    "https://crm.example/|",
    'https://crm.example/"',
    "https://crm.example./",
    "https://crm.example..",
    "https://.crm.example/",
    "https://crm..example/",
    "https://-crm.example/",
    "https://crm-.example/",
    "https://crm%2eexample/",
    "https://%31%32%37.0.0.1/",
    "https://münchen.example/",
    "https://crm.example/ä",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://x." + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://crm.example/" + "x" * (LONGEST_URL - 19),
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://1.2.3/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://08.8.8.8/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[1:2]/",
    "https://[]/",
    "https://[8.8.8.8]/x".replace("8.8.8.8", "v1.x"),
    "https://[::1/",
    "https://::1/",
    "https://2001:4860:4860::8888/",
    "https://localhost/",
    "https://LOCALHOST:8443/",
    "https://a.localhost/",
]
OWN = (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))


def refused(url: str, *networks: object) -> bool:
    try:
        refuse_bad_url(url, is_public, lambda one: is_own(one, networks), with_http=bool(networks))  # type: ignore[arg-type]
    except InvalidRequestError as error:
        return (error.pointer, bool(str(error))) == ("/url", True)
    return False


@pytest.mark.parametrize("url", GOOD)
def test_what_may_be(url: str):
    assert not refused(url)
    assert not refused(url, *OWN)


@pytest.mark.parametrize("url", BAD)
def test_what_may_not_be(url: str):
    assert refused(url)


@pytest.mark.parametrize(
    ("url", "may_be"),
    [
        ("http://127.0.0.1:8080/", True),
        ("https://127.0.0.1/", True),
        ("http://[fd00::1]/", True),
        ("http://localhost:8080/", True),
        # It is known once its address is.
        ("http://crm.internal/", True),
        ("http://8.8.8.8/", False),
        ("http://10.0.0.1/", False),
        ("http://[::1]/", False),
        ("http://127.1/", False),
        ("ftp://127.0.0.1/", False),
    ],
)
def test_networks_of_ones_own_are_allowed_and_no_others(url: str, may_be: bool):
    assert refused(url, *OWN) is not may_be


@given(st.text(max_size=60))
def test_nothing_breaks_it(text: str):
    for url in (
        text,
        f"https://{text}",
        f"https://crm.example/{text}",
        f"https://crm.example:{text}",
        f"https://[{text}]",
    ):
        refused(url)
