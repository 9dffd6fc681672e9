"""Completing paths."""

from pathlib import Path

from kachery_tui.tui.dialogs.paths import PathSuggester, complete


async def test_completes_to_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "beta.dat").touch()
    (tmp_path / "alpha").mkdir()
    (tmp_path / ".hidden").touch()
    (tmp_path / "be\x1bad").touch()
    suggest = PathSuggester().get_suggestion
    assert await suggest(f"{tmp_path}/") == f"{tmp_path}/alpha/"
    assert await suggest(f"{tmp_path}/b") == f"{tmp_path}/beta.dat"
    assert await suggest(f"{tmp_path}/.h") == f"{tmp_path}/.hidden"
    assert await suggest(f"{tmp_path}/beta.dat") is None
    assert await suggest(f"{tmp_path}/nothing") is None
    assert await suggest(f"{tmp_path}/missing/x") is None


def test_without_a_start_there_is_no_guess() -> None:
    assert complete("") is None
    assert complete("~") is None
