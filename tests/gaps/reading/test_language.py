from __future__ import annotations

import pytest

from gaps.reading.language import guess_language, main_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My hub is not online and the light is red", "en"),
        ("Sinds gisteren kom ik thuis niet meer op het netwerk", "nl"),
        ("Depuis que nous avons changé, je ne peux pas ouvrir la porte", "fr"),
        ("Ich kann die App nicht öffnen und das Licht ist rot", "de"),
        ("Bom dia, a minha válvula não funciona e o rádio está frio", "pt"),
        ("Witam, nie mam poczty i nie jest to dobre", "pl"),
        ("CC-418", None),
        ("", None),
    ],
)
def test_function_words_tell_the_language(text: str, language: str | None) -> None:
    assert guess_language(text) == language


def test_most_texts_decide() -> None:
    assert main_language(["the hub is off", "it is not on", "het is niet aan en ik ook"]) == "en"
    assert main_language(["418"]) is None
