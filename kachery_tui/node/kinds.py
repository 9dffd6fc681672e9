"""The kinds of things that can be requested, by what the protocol calls them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.subject import Subject
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.protocol.roles import Kind

SUBJECTS: Final[Mapping[Kind, type[Subject]]] = MappingProxyType(
    {subject.kind: subject for subject in (FileSubject, SubfeedSubject, TaskSubject)}
)
"""What a request of each kind is about."""
