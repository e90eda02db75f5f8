"""The only readers of the environment and of kb.toml; nothing starts on a guess."""
