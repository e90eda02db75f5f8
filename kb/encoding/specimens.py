"""Texts that a machine's vectors are checked on before any is kept."""

from __future__ import annotations

REFERENCES = {
    "How do I reset my password?": (
        (0.0069, -0.06302, -0.07204, -0.0325, -0.04271, 0.07043, 0.00907, 0.01541)
    ),
    "The router's light stays red after the firmware update.": (
        (-0.01673, -0.04287, -0.01009, 0.07494, 0.06524, -0.03837, -0.04128, -0.03957)
    ),
    "Rückerstattung innerhalb von 14 Tagen": (
        (-0.0461, 0.1042, -0.04389, -0.02628, -0.06442, -0.00219, 0.11091, 0.12617)
    ),
}
"""First numbers of the vectors sentence-transformers 6.2 with torch 2.13 gives."""
REFERENCE_TOLERANCE = 0.001

_PARAGRAPH = (
    "Open the app, choose the thermostat and then Schedule. Each day holds up to six periods; a "
    "period begins at its time and lasts until the next one. Changes reach the device within a "
    "minute while it is online. If the display still shows the old schedule after five minutes, "
    "take the front off, press the reset button for three seconds and wait for the green light. "
)

SPECIMENS = (
    "",
    "refund",
    "VPN does not connect",
    "error 0x80070005 when installing the update",
    "How do I change the address on my invoice?",
    "my card was charged twice this month!!",
    "The battery of the door sensor is empty after two weeks.",
    "Wie setze ich mein Passwort zurück?",
    "Je n'arrive pas à me connecter à mon compte",
    "ping 10.0.0.1 times out but DNS resolves example.com",
    "SELECT id FROM orders WHERE total > 100;",
    "Settings > Security > Two-factor authentication",
    "Returns are accepted within 14 days of delivery, unopened and with the receipt.",
    "Can two people control the same heating from two phones?",
    "Please cancel my subscription at the end of the year and confirm by mail.",
    "The export stops at 10,000 rows and the file has no header.",
    "Our administrators cannot see the audit log since the upgrade to version 4.2.",
    "Which ports must be open in the firewall?",
    "It works on Android 14 but the iPhone says 'pairing failed (code 31)'.",
    "Do not store personal data in the comment field.",
    "Delivery takes three to five working days; express orders arrive on the next day.",
    "printer offline after moving to the new office network",
    _PARAGRAPH[:250],
    _PARAGRAPH,
    _PARAGRAPH * 2,
    _PARAGRAPH * 5,
)
