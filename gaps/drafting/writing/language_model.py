"""A language model behind any OpenAI-compatible endpoint; the only owner of llama-index's models.

It is given no tools and follows no redirect: evidence and key go to the configured address and to
no other. An answer has to be whole within the time and the size allowed, whatever the endpoint
does; there is no second try, because the extractive writer stands by.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.llms.openai_like import OpenAILike
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    RateLimitError,
)

from kb.errors import UnavailableError
from kb.ports import Completion
from kb.tokens import estimate_tokens

MOST_TOKENS_OUT = 3_000
"""An article of 900 words with its evidence ids in JSON takes some 2,000."""
MOST_BYTES = 500_000
CONTEXT_TOKENS = 32_000


class OpenAiLikeModel:
    """The `LanguageModel` port over llama-index's `OpenAILike`."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key: str | None = None,
        timeout_seconds: float = 60.0,
        input_price: float | None = None,
        output_price: float | None = None,
    ) -> None:
        """Take the endpoint; nothing is sent before `complete`.

        Args:
            base_url: Up to and with "/v1".
            model: As the endpoint names it.
            key: Sent as bearer; endpoints of one's own need none.
            timeout_seconds: For the whole answer.
            input_price: For a million tokens in.
            output_price: For a million tokens out.
        """
        self._name = model
        self._prices = (input_price, output_price)
        self._transport = _BoundedTransport(timeout_seconds)
        client = httpx.Client(
            transport=self._transport, follow_redirects=False, trust_env=False,
            timeout=timeout_seconds,
        )  # fmt: skip
        self._model = OpenAILike(
            model=model,
            api_base=base_url,
            # The library would look for a key of another product in the environment.
            api_key=key or "none",
            is_chat_model=True,
            is_function_calling_model=False,
            context_window=CONTEXT_TOKENS,
            max_tokens=MOST_TOKENS_OUT,
            temperature=0.0,
            max_retries=0,
            timeout=timeout_seconds,
            http_client=client,
        )

    @property
    def name(self) -> str:
        return self._name

    def complete(self, instructions: str, content: str) -> Completion:
        """Ask once; see the port for what is raised."""
        messages = [
            ChatMessage(role=MessageRole.SYSTEM, content=instructions),
            ChatMessage(role=MessageRole.USER, content=content),
        ]
        try:
            answer = self._model.chat(messages)
        except Exception as error:
            # Whatever an endpoint sends, the library may stumble over it in its own way.
            raise UnavailableError(self._explain(error)) from error
        choice = (getattr(answer.raw, "choices", None) or [None])[0]
        finish = getattr(choice, "finish_reason", None)
        if finish not in (None, "stop"):
            raise UnavailableError(f"{self._name} did not finish its answer ({finish!s:.40})")
        text = answer.message.content or ""
        if not text.strip():
            raise UnavailableError(f"{self._name} answered nothing")
        usage = getattr(answer.raw, "usage", None)
        tokens_in = _count(usage, "prompt_tokens", instructions + content)
        tokens_out = _count(usage, "completion_tokens", text)
        return Completion(text, tokens_in, tokens_out, self._cost(tokens_in, tokens_out))

    def _cost(self, tokens_in: int, tokens_out: int) -> float | None:
        if self._prices == (None, None):
            return None
        return (tokens_in * (self._prices[0] or 0.0) + tokens_out * (self._prices[1] or 0.0)) / 1e6

    def _explain(self, error: Exception) -> str:
        if self._transport.broken is not None:
            return f"{self._name} {self._transport.broken}"
        if isinstance(error, APITimeoutError):
            return f"{self._name} did not answer in time"
        if isinstance(error, RateLimitError):
            return f"{self._name} has no capacity for us now (429)"
        if isinstance(error, AuthenticationError):
            return f"{self._name} refuses the key of KB_LANGUAGE_MODEL_KEY (401)"
        if isinstance(error, APIStatusError):
            return f"{self._name} answered {error.status_code}"
        if isinstance(error, APIConnectionError):
            return f"{self._name} cannot be reached"
        if isinstance(error, APIError):
            return f"{self._name} answered with an error"
        return f"{self._name} answered in no known form"


def _count(usage: object, name: str, text: str) -> int:
    """What the endpoint counted, or an estimate where it does not say."""
    said = getattr(usage, name, None)
    return said if isinstance(said, int) and said >= 0 else estimate_tokens(text)


class _BoundedTransport(httpx.BaseTransport):
    """Reads an answer whole, within a time and a size: httpx limits each read only."""

    def __init__(self, seconds: float) -> None:
        self._inner = httpx.HTTPTransport()
        self._seconds = seconds
        self.broken: str | None = None
        """Which limit the last answer broke."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.broken = None
        deadline = time.monotonic() + self._seconds
        response = self._inner.handle_request(request)
        try:
            body = b"".join(self._read(response, deadline))
        finally:
            response.close()
        headers = {
            k: v for k, v in response.headers.items()
            if k not in ("content-encoding", "content-length", "transfer-encoding")
        }  # fmt: skip
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def _read(self, response: httpx.Response, deadline: float) -> Iterator[bytes]:
        size = 0
        response.request = httpx.Request("POST", "http://endpoint.invalid")
        for part in response.iter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                self.broken = f"answered more than {MOST_BYTES:,} bytes"
                raise httpx.ReadError(self.broken)
            if time.monotonic() > deadline:
                self.broken = "did not answer in time"
                raise httpx.ReadTimeout(self.broken)
            yield part

    def close(self) -> None:
        self._inner.close()
