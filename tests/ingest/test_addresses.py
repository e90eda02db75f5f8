"""What may be reached is read strictly, and what may not is refused in every spelling."""

from __future__ import annotations

import random
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.addresses import UnsafeAddressError, check_address, read_target
from tests.ingest.network import INSIDE_ADDRESSES, INSIDE_URLS, PUBLIC, PUBLIC_6


@pytest.mark.parametrize("text", INSIDE_ADDRESSES)
def test_an_address_inside_is_refused(text: str) -> None:
    with pytest.raises(UnsafeAddressError):
        check_address(ip_address(text))
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(UnsafeAddressError):
        read_target(f"https://{host}/")


@pytest.mark.parametrize("url", INSIDE_URLS)
def test_an_odd_url_is_refused_before_any_name_is_looked_up(url: str) -> None:
    with pytest.raises(UnsafeAddressError):
        read_target(url)


@pytest.mark.parametrize(
    ("url", "authority", "port"),
    [
        ("http://example.com", "example.com", 80),
        ("HTTPS://Example.COM/a?b#c", "example.com", 443),
        ("http://example.com:443/", "example.com:443", 443),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
        ("https://a_b.example.co.uk/x", "a_b.example.co.uk", 443),
        ("https://1password.com/", "1password.com", 443),
        ("https://0x.org/", "0x.org", 443),
        (f"http://{PUBLIC}/", PUBLIC, 80),
        (f"http://[{PUBLIC_6.upper()}]:80/", f"[{PUBLIC_6}]", 80),
    ],
)
def test_places_outside_are_read_as_meant(url: str, authority: str, port: int) -> None:
    target = read_target(url)
    assert (target.authority, target.port) == (authority, port)


@pytest.mark.parametrize("text", [PUBLIC, PUBLIC_6, "8.8.8.8", "2a00:1450:4001:81b::200e"])
def test_addresses_outside_pass(text: str) -> None:
    check_address(ip_address(text))


def test_a_host_the_team_named_may_be_inside_at_its_own_port_only() -> None:
    allowed = frozenset({"wiki.internal", "127.0.0.1:8065"})
    check_address(
        ip_address("10.0.0.8"), named=read_target("http://wiki.internal/").is_named_in(allowed)
    )
    assert read_target("http://127.0.0.1:8065/", allowed).port == 8065
    assert read_target("http://[::1]:8065/", {"[::1]:8065"}).authority == "[::1]:8065"
    for url in ("http://127.0.0.1:8066/", "http://127.0.0.1/", "http://wiki.internal:8080/",
                "http://other.wiki.internal:8065/"):  # fmt: skip
        with pytest.raises(UnsafeAddressError):
            read_target(url, allowed)


@pytest.mark.parametrize(
    "text", ["169.254.169.254", "100.100.100.200", "fe80::1", "224.0.0.1", "0.0.0.0", "::",
             "::ffff:127.0.0.1", "fd00:ec2::254", "255.255.255.255"],
)  # fmt: skip
def test_even_a_named_host_never_leads_to_metadata_or_link_local(text: str) -> None:
    with pytest.raises(UnsafeAddressError):
        check_address(ip_address(text), named=True)


@given(st.text(max_size=80))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.com/{text}"):
        try:
            target = read_target(url)
        except UnsafeAddressError:
            continue
        assert target.host.isascii() and "@" not in target.host and target.port in (80, 443)


def test_random_inside_addresses_are_refused_in_every_number_form() -> None:
    choose = random.Random(7)
    for _ in range(500):
        first = choose.choice((10, 127))
        octets = [first, *(choose.randrange(256) for _ in range(3))]
        number = int.from_bytes(bytes(octets), "big")
        for host in (str(number), hex(number), f"0{number:o}", ".".join(f"0{o:o}" for o in octets),
                     ".".join(hex(o) for o in octets), f"{octets[0]}.{number & 0xFFFFFF}",
                     ".".join(map(str, octets)), f"[::ffff:{'.'.join(map(str, octets))}]"):  # fmt: skip
            with pytest.raises(UnsafeAddressError):
                read_target(f"http://{host}/")
