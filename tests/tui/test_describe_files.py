"""What the panes say of files."""

from kachery_tui.node.values import Entry
from kachery_tui.tui.describe.files import entry_cells, entry_lines
from tests.tui.words import text_of

URI = "sha1://" + "ab" * 20 + "/spikes.dat"


def test_files_of_the_storage() -> None:
    entry = Entry("ab" * 20, 1_234, "", 1.0, 2.0, "lab", True, "link", None)
    cells = [cell.text for cell in entry_cells(entry, 3.0)]
    assert cells[0] == "abababababababab…"
    assert cells[1] == "1.2 kB"
    assert cells[-1] == "pinned, link"
    assert "(1,234 B)" in text_of(entry_lines(entry, URI, 3.0))
