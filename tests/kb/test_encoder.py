"""The embedded model without torch: the same vectors, whatever else is asked and whatever breaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kb.encoding import embedded, prepared
from kb.encoding.choosing import choose_encoder
from kb.encoding.onnx_encoder import OnnxEncoder
from kb.encoding.prepared import Choice, PreparedModels
from kb.encoding.sentence_transformer import SentenceTransformerEncoder
from kb.encoding.specimens import SPECIMENS
from kb.errors import IntegrityError, UnavailableError

ODD = (
    " ",
    "naïve CAFÉ İstanbul",
    "パスワードを忘れました",
    "😀 ok",
    "a" * 300,
    "C:\\Users\\me> \x00\x07 del",
    "[MASK] [SEP] not special",
    "word " * 5_000,
)
TEXTS = (*SPECIMENS, *ODD)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    PreparedModels(folder).choose()
    return folder


@pytest.fixture
def copied(cache: Path, tmp_path: Path) -> Path:
    """A cache to damage."""
    return Path(shutil.copytree(cache, tmp_path / "cache"))


def kept(cache: Path, name: str) -> Path:
    return next(cache.glob(f"*/{name}"))


def test_vectors_are_those_of_sentence_transformers(cache: Path) -> None:
    wanted = SentenceTransformerEncoder().encode(TEXTS)
    exact = OnnxEncoder("onnx", PreparedModels(cache)).encode(TEXTS)
    quick = OnnxEncoder("onnx-int8", PreparedModels(cache)).encode(TEXTS)
    assert exact.shape == quick.shape == wanted.shape and quick.dtype == np.float32
    assert np.allclose(np.linalg.norm(quick, axis=1), 1.0, atol=1e-5)
    assert (exact * wanted).sum(axis=1).min() > 0.99999
    cosines = (quick * wanted).sum(axis=1)
    assert cosines.mean() > 0.99 and cosines.min() > 0.97


@pytest.mark.parametrize("graph", ["onnx-int8", "onnx"])
def test_a_vector_depends_on_nothing_but_its_text(
    cache: Path, graph: prepared.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = OnnxEncoder(graph, PreparedModels(cache))
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.array_equal(encoder.encode(TEXTS), alone)
    assert np.array_equal(encoder.encode(TEXTS[::-1])[::-1], alone)
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda text: encoder.encode([text])[0], TEXTS))
    assert np.array_equal(np.stack(found), alone)
    monkeypatch.setattr("kb.encoding.minilm._count_workers", lambda: 3)
    assert np.array_equal(encoder.encode(TEXTS), alone)


def test_the_cache_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_build", lambda _graph: pytest.fail("built again"))
    assert choose_encoder(cache=cache).encode(["a"]).shape == (1, 384)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no digest", "gone"])
def test_a_damaged_cache_is_built_anew_to_the_same_vectors(
    cache: Path, copied: Path, damage: str
) -> None:
    model, digest = kept(copied, "onnx-int8.onnx"), kept(copied, "onnx-int8.sha256")
    content = model.read_bytes()
    if damage == "cut":
        model.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        model.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "no digest":
        digest.unlink()
    else:
        shutil.rmtree(model.parent)
    found = choose_encoder(backend="onnx-int8", cache=copied).encode(TEXTS)
    assert np.array_equal(found, choose_encoder(cache=cache).encode(TEXTS))
    assert model.read_bytes() == content


UNKNOWN = '{"backend": "magic", "reason": "", "mean_cosine": 1, "least_cosine": 1}'


@pytest.mark.parametrize("content", ["{}", UNKNOWN])
def test_an_unreadable_choice_is_made_again(copied: Path, content: str) -> None:
    kept(copied, "choice.json").write_text(content)
    assert PreparedModels(copied).choose().backend == "onnx-int8"
    assert "onnx-int8" in kept(copied, "choice.json").read_text()


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    encoder = OnnxEncoder("onnx-int8", PreparedModels(file))
    assert encoder.encode(["a"]).shape == (1, 384)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_wrong_files_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(shutil.copytree(embedded.embedded_directory(), tmp_path / "model"))
    content = bytearray((package / name).read_bytes())
    content[-9] ^= 1
    (package / name).write_bytes(content)
    monkeypatch.setattr(embedded, "embedded_directory", lambda: package)
    with pytest.raises(IntegrityError, match=f"{name} is not the expected file"):
        PreparedModels(tmp_path / "cache").choose()
    encoder = choose_encoder(cache=tmp_path / "cache")
    assert "/onnx-int8/" in encoder.recipe
    with pytest.raises(IntegrityError, match=f"{name} is not the expected file"):
        encoder.encode(["a"])
    if name == "model.safetensors":
        with pytest.raises(IntegrityError, match="not the expected file"):
            SentenceTransformerEncoder().encode(["a"])


def test_vectors_of_eight_bits_that_are_off_leave_the_exact_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_compare", lambda _quick, _exact: (0.7, 0.1))
    encoder = choose_encoder(cache=tmp_path)
    assert "/onnx/" in encoder.recipe and encoder.encode(["a"]).shape == (1, 384)
    monkeypatch.undo()
    assert PreparedModels(tmp_path).choose() == Choice(
        "onnx", "8-bit vectors are off: cosine 0.700", 0.7, 0.1
    )
    assert PreparedModels(tmp_path).choose_anew().backend == "onnx-int8"
    assert PreparedModels(tmp_path).choose().backend == "onnx-int8"


def test_exact_vectors_that_are_off_leave_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "REFERENCES", {"How do I reset my password?": (0.5,)})
    assert isinstance(choose_encoder(cache=tmp_path), SentenceTransformerEncoder)
    assert "off by 0.4" in PreparedModels(tmp_path).choose().reason


@pytest.mark.parametrize("missing", ["kb.encoding.minilm", "kb.encoding.minilm_graph"])
def test_without_onnx_runtime_torch_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    encoder = choose_encoder(cache=tmp_path)
    assert isinstance(encoder, SentenceTransformerEncoder)
    assert choose_encoder(cache=tmp_path).recipe == encoder.recipe
    with pytest.raises(UnavailableError, match="embedded encoder") as caught:
        choose_encoder(backend="onnx", cache=tmp_path).encode(["a"])
    assert not caught.value.retryable


def test_recipes_are_settled_and_tell_backends_apart(cache: Path) -> None:
    """A recipe that changes embeds every knowledge base anew: it is spelt out here."""
    encoder = choose_encoder(cache=cache)
    before = encoder.recipe
    encoder.encode(["a"])
    assert encoder.recipe == before == choose_encoder(backend="onnx-int8", cache=cache).recipe
    assert before == "all-MiniLM-L6-v2@53aa51172d14/onnx-int8/mean/unit/v1"
    assert (
        choose_encoder(backend="onnx").recipe == "all-MiniLM-L6-v2@53aa51172d14/onnx/mean/unit/v1"
    )
    torch = choose_encoder(backend="torch").recipe
    assert torch == "all-MiniLM-L6-v2@53aa51172d14/mean/unit/v1"
    assert choose_encoder("my/model", cache=cache).recipe.startswith("my/model@")


def test_no_texts_need_no_model() -> None:
    assert OnnxEncoder("onnx-int8", PreparedModels(None)).encode([]).shape == (0, 384)


def test_serving_loads_neither_torch_nor_the_builder(cache: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from kb.encoding.choosing import choose_encoder\n"
        f"choose_encoder(cache=Path({str(cache)!r})).encode(['a', 'b'])\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "onnx"}
    assert heavy & set(done.stdout.split()) == set()
    assert "onnxruntime" in done.stdout.split()
