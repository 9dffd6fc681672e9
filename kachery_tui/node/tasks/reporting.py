"""Who offers what: this node's functions are reported on its channels, and those of others asked for.

A report goes out when the connection is made, when a function has turned out to be ready, and when somebody asks. A
node that runs on asks once over every connection, with a probe that names no function: nodes of this program then say
all that they offer. Those that come later report by themselves.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from kachery_tui.errors import KacheryError
from kachery_tui.node.membership import Membership
from kachery_tui.node.parts import Parts
from kachery_tui.node.tasks.functions import OwnFunctions
from kachery_tui.node.tasks.offers import Offers
from kachery_tui.node.tasks.speaking import Speaker
from kachery_tui.protocol.messages import (
    ProbeTaskFunctions,
    RegisteredTaskFunction,
    ReportRegisteredTaskFunctions,
)
from kachery_tui.protocol.roles import Role, Stream

_log = logging.getLogger(__name__)

AT_A_GO: Final = 50
"""Functions in one report: their names may be long."""

REPORT_PAUSE: Final = 0.05
"""Seconds in which further probes are gathered before one report answers them all."""

MOST_PROBED: Final = 1_000
"""Functions that others ask for at a time; who asks for more hears of those that are offered."""


class Reporter:
    """Says what this node offers, and asks what others do."""

    def __init__(self, parts: Parts, functions: OwnFunctions, offers: Offers, speaker: Speaker) -> None:
        self._parts = parts
        self._speaker = speaker
        self._functions = functions
        self._offers = offers
        self._probed: dict[str, set[str] | None] = {}
        """By channel, the functions that were asked for since the last report; None for all."""
        self._services: dict[str, asyncio.Task[None]] = {}
        self._is_started = False

    async def prepare(self) -> None:
        """Find out which functions can run, and report those."""
        await self._functions.prepare()
        for membership in self._parts.memberships.values():
            if Role.PROVIDE_TASKS in membership.in_force and self._functions.on(membership.name):
                self._report_soon(membership, None)

    def start(self) -> None:
        """Report and ask over every connection that is made from now on, or is there."""
        self._is_started = True
        for membership in self._parts.memberships.values():
            self.joined(membership)

    def joined(self, membership: Membership) -> None:
        """Report and ask on a channel that was joined."""
        if self._is_started:
            self._services[membership.name] = self._parts.supervisor.serve(
                lambda: self._follow(membership), f"{membership.name}: offered functions"
            )

    def leave(self, membership: Membership) -> None:
        """Say nothing more on a channel."""
        service = self._services.pop(membership.name, None)
        if service is not None:
            service.cancel()

    async def probe(self, membership: Membership) -> None:
        """Ask which functions are offered. Raises `KacheryError`."""
        await membership.ready_for(Role.REQUEST_TASKS, lambda: None)
        await self._speaker.say_patiently(membership, ProbeTaskFunctions(()))

    def hear_probe(self, membership: Membership, probe: ProbeTaskFunctions) -> None:
        """Take a question. Who asks for certain functions hears also that none of them is offered here."""
        if Role.PROVIDE_TASKS not in membership.roles or probe.backend_id is not None:
            return
        if probe.task_function_ids:
            self._report_soon(membership, set(probe.task_function_ids))
        elif self._functions.on(membership.name):
            self._report_soon(membership, None)

    def _report_soon(self, membership: Membership, asked: set[str] | None) -> None:
        is_coming = membership.name in self._probed
        before = self._probed.get(membership.name, set())
        merged = None if asked is None or before is None else before | asked
        self._probed[membership.name] = None if merged is not None and len(merged) > MOST_PROBED else merged
        if not is_coming:
            self._parts.supervisor.spawn(
                self._report(membership), f"{membership.name}: report functions", service=True
            )

    async def _report(self, membership: Membership) -> None:
        await asyncio.sleep(REPORT_PAUSE)
        asked = self._probed.pop(membership.name, None)
        offered = [
            RegisteredTaskFunction(membership.name, each.config.function_id, each.config.type)
            for each in self._functions.on(membership.name)
            if asked is None or each.config.function_id in asked
        ]
        try:
            for start in range(0, max(len(offered), 1), AT_A_GO):
                report = ReportRegisteredTaskFunctions(tuple(offered[start : start + AT_A_GO]))
                await self._speaker.say(membership, report)
        except KacheryError as error:
            _log.info("%s: could not report functions: %s", membership.name, error)

    async def _follow(self, membership: Membership) -> None:
        """Report and ask anew over each connection; forget what nodes offered that have gone. Goes on for ever."""
        reported = probed = -1
        present: set[str] = set()
        while True:
            version, made, in_force = membership.version, membership.reconnects, membership.in_force
            if Role.PROVIDE_TASKS in in_force and reported != made and self._functions.on(membership.name):
                reported = made
                self._report_soon(membership, None)
            if Role.REQUEST_TASKS in in_force and probed != made:
                probed = made
                with suppress(KacheryError):
                    await self._speaker.say(membership, ProbeTaskFunctions(()))
            if membership.is_connected:
                now_present = {member.node_id for member in membership.members(Stream.PROVIDE_TASKS)}
                self._offers.forget(membership.name, present - now_present)
                present = now_present
            await membership.wait_changed(version)
