# SPDX-License-Identifier: MIT
"""Fixtures for the tests against real processes (tests/lab)."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Lab  # noqa: E402


@pytest.fixture
def lab(request):
    """A run directory and network of its own; all ends with the test."""
    with Lab() as running:
        request.node.roost_lab = running
        yield running


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the ends of the logs of what was running."""
    outcome = yield
    report = outcome.get_result()
    running = getattr(item, 'roost_lab', None)
    if call.when == 'call' and report.failed and running:
        for component in running.components:
            for log in {component.log.path: component.log,
                        component.out.path: component.out}.values():
                if log.text():
                    report.sections.append(
                        (f'{component.name}: {log.path.name}', log.tail(40)))
