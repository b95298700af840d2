"""Observers: events and notes become log lines and metrics. Nothing below this floor logs."""

from outrider.observe.log import LogObserver
from outrider.observe.metrics import MetricsObserver
from outrider.observe.observers import Observers
from outrider.observe.tallies import Tallies

__all__ = ["LogObserver", "MetricsObserver", "Observers", "Tallies"]
