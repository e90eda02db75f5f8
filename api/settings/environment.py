"""What comes from the environment: secrets, and places that differ between machines."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import (
    SecretStr,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from kb.errors import InvalidInputError


class Environment(BaseSettings):
    """Secrets and places that differ from machine to machine, as KB_… variables."""

    model_config = SettingsConfigDict(env_prefix="KB_", extra="ignore")

    config: Path | None = None
    data_dir: Path | None = None
    database_url: str | None = None
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    model_cache: Path | None = None
    """Where built models are kept; ~/.cache/kbops where left out."""
    language_model_key: SecretStr | None = None

    def find_model_cache(self) -> Path | None:
        """None for a user without a home."""
        if self.model_cache is not None:
            return self.model_cache.resolve()
        try:
            return Path.home() / ".cache" / "kbops"
        except RuntimeError:
            return None


def read_secret(name: str) -> str:
    """A secret by the name of its environment variable.

    Raises:
        InvalidInputError: It is not set.
    """
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise InvalidInputError(f"the environment variable {name} is not set")
    return secret
