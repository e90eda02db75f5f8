"""The token estimate errs on the safe side, whatever the text is written in."""

from __future__ import annotations

from pathlib import Path

import llama_index.core
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from kb.tokens import estimate_tokens

ROOT = Path(__file__).parent.parent.parent
TEXTS = {
    "english": (ROOT / "README.md").read_text(encoding="utf-8"),
    "python": (ROOT / "kb" / "retrieval" / "retriever.py").read_text(encoding="utf-8"),
    "json": (ROOT / "kb" / "confidence_default.json").read_text(encoding="utf-8"),
    "shell": "curl -sS -X POST https://api.example.org/v1 -H 'A: b' -d '{\"query\":\"reset\"}'\n"
    * 3,
    "key": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "chinese": "退款将在十四天内支付。请在应用中打开账单页面，选择需要退款的订单，然后点击申请退款。",
    "japanese": "返金は十四日以内に支払われます。アプリで請求ページを開き、返金を申請してください。",
    "korean": "환불은 14일 이내에 지급됩니다. 앱에서 결제 페이지를 열고 환불할 주문을 선택하세요.",
    "german": "Die Rückerstattung erfolgt innerhalb von vierzehn Tagen. Öffnen Sie die Übersicht.",
    "russian": "Возврат средств производится в течение четырнадцати дней.",
    "arabic": "يتم دفع المبالغ المستردة خلال أربعة عشر يوما.",
    "hindi": "धनवापसी चौदह दिनों के भीतर की जाती है।",
    "emoji": "🙂👍🏽🔥🎉🚀🤖",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_no_kind_of_text_counts_fewer_than_a_real_vocabulary_says(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    for vocabulary in ("cl100k_base", "o200k_base"):
        real = len(tiktoken.get_encoding(vocabulary).encode(TEXTS[kind]))
        assert real <= estimate_tokens(TEXTS[kind])


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("a b " * 9, 9)])
def test_plain_words_count_four_characters_a_token(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.text(), st.text())
def test_joining_two_texts_costs_no_more_than_both_and_what_is_between(a: str, b: str) -> None:
    apart = estimate_tokens(a) + estimate_tokens("\n\n") + estimate_tokens(b)
    assert estimate_tokens(f"{a}\n\n{b}") <= apart
