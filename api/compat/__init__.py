"""The ranking in the words of other ecosystems: Dify, OpenAI, LlamaIndex, LangChain."""
