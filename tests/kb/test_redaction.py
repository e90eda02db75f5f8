"""What must be masked, what must stay readable, and that no text makes masking slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.redaction import MASKS, mask_personal_data

MASKED = [
    ("mail me at anna.peeters@post.example please", "mail me at [email] please"),
    ("anna@post.example", "[email]"),
    ("<Jan.De-Smet+fenn@sub.mail.example>", "<[email]>"),
    ("mailto:joe_99@x-y.example.", "mailto:[email]."),
    ("From: 'O'Neil' <o'neil@post.example>", "From: 'O'Neil' <[email]>"),
    ("JOE@POST.EXAMPLE,ann@post.example", "[email],[email]"),
    ("joe(at)post.example", "[email]"),
    ("joe [at] post.example wrote", "[email] wrote"),
    ("josé.müller@café.example", "[email]"),
    ("https://user:geheim@files.example/a", "https://user:[email]/a"),
    ("call +32 470 12 34 56 now", "call [phone] now"),
    ("+32470123456", "[phone]"),
    ("+44 (0)113 496 0123", "[phone]"),
    ("+44 7700 900123.", "[phone]."),
    ("+351 912 345 678", "[phone]"),
    ("+1 (555) 010-9999", "[phone]"),
    ("+1-555-010-9999", "[phone]"),
    ("0032 470 12 34 56", "[phone]"),
    ("00351912345678", "[phone]"),
    ("tel 0470 12 34 56", "tel [phone]"),
    ("0470/12.34.56", "[phone]"),
    ("0470123456", "[phone]"),
    ("09 123 45 67 after six", "[phone] after six"),
    ("(0113) 496 0123", "[phone]"),
    ("07700 900123", "[phone]"),
    ("020 7946 0123", "[phone]"),
    ("02-123-45-67", "[phone]"),
    ("01 02 03 04 05", "[phone]"),
    ("(555) 010-9999", "[phone]"),
    ("555-010-9999 or 555.010.9998", "[phone] or [phone]"),
    ("my mobile is 912 345 678", "my mobile is [phone]"),
    ("GSM: 470123456", "GSM: [phone]"),
    ("WhatsApp 912345678 anytime", "WhatsApp [phone] anytime"),
    ("Ligue para o telemóvel 912 345 678", "Ligue para o telemóvel [phone]"),
    ("card 4111 1111 1111 1111 was charged", "card [card] was charged"),
    ("4111111111111111", "[card]"),
    ("5555-5555-5555-4444", "[card]"),
    ("378282246310005", "[card]"),
    ("3782 822463 10005", "[card]"),
    ("6011 1111 1111 1117 12/28 123", "[card] 12/28 123"),
    ("30569309025904", "[card]"),
    ("2223 0031 2200 3222", "[card]"),
    ("pay 1 4111 1111 1111 1111", "pay 1 [card]"),
    ("password: hunter22", "password: [token]"),
    ("Password:geheim", "Password:[token]"),
    ('"password": "tulp en roos"', '"password": "[token] en roos"'),
    ("my password is Winter2026!", "my password is [token]"),
    ("wachtwoord: Fiets123", "wachtwoord: [token]"),
    ("mot de passe : Bonjour!9", "mot de passe : [token]"),
    ("pwd=s3cr3t;", "pwd=[token];"),
    ("PIN: 4821", "PIN: [token]"),
    ("the pin code is 482193", "the pin code is [token]"),
    ("api_key=ab12cd34ef", "api_key=[token]"),
    ("API key: ab12cd34ef", "API key: [token]"),
    ("access_token: q1w2e3r4", "access_token: [token]"),
    ("?token=a1b2c3d4&x=1", "?token=[token]"),
    ("client_secret = zz-99-top", "client_secret = [token]"),
    ("AKIAIOSFODNN7EXAMPLE", "[token]"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123", "[token]"),
    ("sk-proj-abcdefghijklmnop1234", "[token]"),
    ("xoxb-123456789012-abcdefabcdef", "[token]"),
    ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [token]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_DEF-123", "[token]"),
    ("deadbeef00112233445566778899aabbccddeeff", "[token]"),
    ("key 9aF3kLm0PqRs7TuVwXyZ1bCdEfGh2345==", "key [token]"),
    (
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nabc\n-----END RSA PRIVATE KEY-----\nhi",
        "[token]\nhi",
    ),
    ("-----BEGIN PRIVATE KEY-----\nMIIB cut off", "[token]"),
    ("ping 192.168.1.20 fails", "ping [ip] fails"),
    ("10.0.0.1:8883", "[ip]:8883"),
    ("from 203.0.113.7.", "from [ip]."),
    ("2001:db8::8a2e:370:7334", "[ip]"),
    ("fe80::1ff:fe23:4567:890a on the hub", "[ip] on the hub"),
    ("::1", "[ip]"),
    ("2001:0db8:0000:0000:0000:ff00:0042:8329", "[ip]"),
    ("BE68 5390 0754 7034", "[iban]"),
    ("BE68539007547034 for the refund", "[iban] for the refund"),
    ("be68-5390-0754-7034", "[iban]"),
    ("GB29 NWBK 6016 1331 9268 19.", "[iban]."),
    ("PT50 0002 0123 1234 5678 9015 4", "[iban]"),
    ("NL91ABNA0417164300", "[iban]"),
]

KEPT = [
    "ticket FM-10001",
    "CC-418 device posture check failed",
    "error E-0042 on valve 3",
    "account C-20417",
    "order 4500012345",
    "order number 0470123456",
    "order 555-010-9999",
    "Serial no. 0470 12 34 56",
    "invoice 2026-0001234",
    "FM-2026-118-0042",
    "app version 7.2.1",
    "firmware 10.2.3.4",
    "version: 1.2.3.4",
    "Windows 10.0.19045.3570",
    "Chrome 120.0.6099.71",
    "on 2026-10-05 at 08:14:00",
    "on 05-11-2026 10:30",
    "05.11.2026 12.30",
    "5/11/2026",
    "2026-10-06T08:14:00Z",
    "between 02:00 and 04:00",
    "within 14 days of delivery",
    "EUR 1,000 after probation",
    "price 12 345 678,00",
    "hold the reset pin 15 seconds",
    "the pin is stuck",
    "set to 0.15 bar, then 0.20 and 0.35",
    "0.15 0.20 0.35",
    "10 000 000 requests",
    "M30x1.5 adapters",
    "port 8883 and 1883",
    "5 GHz or 2.4 GHz",
    "serial B7-0012-3388-71",
    "EAN 4006381333931",
    "1234 5678 9012 3456",
    "4111 1111 1111 1112",
    "aa:bb:cc:dd:ee:ff",
    "std::map and a::b",
    "the ratio was 16:9",
    "I forgot my password. is there a way",
    "the password is wrong",
    "Password: reset link expired",
    "password must have 14 characters",
    "the token is invalid",
    "the bearer of bad news",
    "logo@2x.png",
    "pkg@7.2.1",
    "meet @ 10.30",
    "follow @fennmark",
    "https://fennmark.example/help/how-to-reset-your-fenn-hub-2-after-moving-house",
    "Settings/Network/Advanced/Proxy-Configuration-For-All-Users",
    "6f9619ff-8b86-d011-b42d-00c04fc964ff",
    "call me after 18:30",
    "call us before 2026-11-05",
    "phone 7.2.1 build 33",
    "BE12 is not enough",
    "chapter 1.2.3.4.5",
    "[email] and [phone], [card], [token], [ip], [iban]",
    "password: [token]",
    "",
]


@pytest.mark.parametrize(("text", "expected"), MASKED)
def test_personal_data_is_replaced_by_its_kind(text: str, expected: str) -> None:
    masked, counts = mask_personal_data(text)
    assert masked == expected
    assert sum(counts.values()) == sum(expected.count(f"[{kind}]") for kind in MASKS)


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_it_is_kept(text: str) -> None:
    assert mask_personal_data(text) == (text, {})


FRAGMENTS = st.sampled_from([text for text, _ in MASKED] + KEPT + list(" \n.-+0@:/()[]"))
TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="0123456789 .-+()/:@aefx", max_size=120),
    st.lists(FRAGMENTS, max_size=6).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once, _ = mask_personal_data(text)
    assert mask_personal_data(once) == (once, {})


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_mask_adds_at_most_its_own_length(text: str) -> None:
    masked, counts = mask_personal_data(text)
    assert len(masked) <= len(text) + 7 * sum(counts.values())


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=80),
    st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}@[a-z0-9]{1,12}(\.[a-z]{2,8}){1,2}", fullmatch=True),
    st.text(max_size=80),
)
def test_no_planted_address_survives(before: str, address: str, after: str) -> None:
    masked, counts = mask_personal_data(before + address + after)
    assert address not in masked
    assert counts


ADVERSARIAL = [
    "a" * 100_000,
    "1" * 100_000,
    "1 " * 50_000,
    "0470 " * 20_000,
    "@" * 100_000,
    "a@" * 50_000,
    "a." * 50_000 + "@",
    "eyJ" * 33_000,
    ":" * 100_000,
    "a:" * 50_000,
    "+1 " * 33_000,
    "((" * 50_000,
    "-----BEGIN PRIVATE KEY-----" * 3_700,
    "password: " * 10_000,
    "call " * 20_000,
    "AB12 " * 20_000,
    "1.1.1." * 16_000,
    "x@y." * 25_000,
    "A1b" * 33_000 + "!",
    "4111 1111 1111 1111 " * 5_000,
    " " * 100_000,
    "api access " * 9_000,
    "!#$%&'*+" * 12_000 + "@a.example",
]


@pytest.mark.parametrize("text", ADVERSARIAL, ids=lambda text: repr(text[:12]))
def test_a_hostile_text_is_masked_in_well_under_a_second(text: str) -> None:
    started = time.process_time()
    mask_personal_data(text)
    assert time.process_time() - started < 1.0
