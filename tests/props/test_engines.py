"""The native engine against the reference: whatever happens to both, both tell the same.

One machine has every rule; the others have fewer rules and pools of their own, and so reach deeper into one subject. A
long run is 2,000 examples of 50 steps for each machine, times the environment variable PROPS_TIMES.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.props.policy_rules import InstanceRules, OptionRules
from tests.props.pools import LEAK_POOLS, RESOLUTION_POOLS, SELECTION_POOLS, TYING_PEERS
from tests.props.reader_rules import ConsumerRules, QuestionRules
from tests.props.source_rules import LocalRules, PeerRules
from tests.props.stale_rules import StaleRules


class Everything(PeerRules, LocalRules, OptionRules, InstanceRules, StaleRules, ConsumerRules, QuestionRules):
    more_instances = st.lists(st.booleans(), max_size=2)


class Choosing(PeerRules, OptionRules):
    """Many paths that tie until late, few prefixes: steps, multipath, backup, weights."""

    pools = SELECTION_POOLS


class Resolving(PeerRules, LocalRules):
    """Few peers, many local routes under the next hops."""

    pools = RESOLUTION_POOLS


class Leaking(PeerRules, LocalRules, InstanceRules):
    """Three instances, each with routes that the others get."""

    pools = LEAK_POOLS
    more_instances = st.just([True, False])


class Reading(PeerRules, OptionRules, ConsumerRules, QuestionRules):
    """Consumers at many positions of tables that change."""

    more_instances = st.lists(st.booleans(), max_size=1)


class Keeping(PeerRules, OptionRules, InstanceRules, StaleRules, ConsumerRules):
    """Sessions that end and come back, and what peers, boxes and leaks know of it."""

    pools = replace(SELECTION_POOLS, peers=TYING_PEERS[:6])
    more_instances = st.lists(st.booleans(), max_size=1)


MACHINES = (Everything, Choosing, Resolving, Leaking, Reading, Keeping)
SHORT_EXAMPLES: dict[type[RuleBasedStateMachine], int] = {Everything: 60}
HEALTH = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
TIMES = int(os.environ.get("PROPS_TIMES", "1"))


def run(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=HEALTH,
            print_blob=True,
        ),
    )  # fmt: skip


@pytest.mark.timeout(900)  # finding the smallest failing case takes its time
@pytest.mark.parametrize("machine", MACHINES)
def test_native_and_reference_agree_after_any_changes(machine: type[RuleBasedStateMachine]) -> None:
    run(machine, SHORT_EXAMPLES.get(machine, 20), 40)


@pytest.mark.long
@pytest.mark.timeout(3600 * TIMES)
@pytest.mark.parametrize("machine", MACHINES)
def test_native_and_reference_agree_after_any_changes_for_long(machine: type[RuleBasedStateMachine]) -> None:
    for _ in range(20 * TIMES):  # anew each time: what was tried fills the memory
        run(machine, 100, 50)
