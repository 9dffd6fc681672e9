"""What the panes say of roles."""

from kachery_tui.protocol.roles import Role
from kachery_tui.tui.describe.roles import role_cells


def test_the_matrix_says_what_a_role_means() -> None:
    def means(**state: bool) -> str:
        return role_cells(Role.PROVIDE_FILES, **state, problem="")[-1].text

    assert means(asked=True, granted=True, in_force=True) == "↑ provideFiles  ↓ requestFiles"
    assert means(asked=False, granted=True, in_force=False) == "would ↑ provideFiles ↓ requestFiles"
    assert means(asked=True, granted=False, in_force=False) == "! the channel does not grant it"
    assert means(asked=True, granted=True, in_force=False) == "! waits for the connection"
