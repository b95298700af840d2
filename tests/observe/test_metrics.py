"""Metrics: what is counted and how it is rendered."""

from prometheus_client.parser import text_string_to_metric_families

from outrider.domain.event import Event, EventKind
from outrider.observe import MetricsObserver


def event(kind, **facts):
    return Event(tenant="ten_1", message_id="msg_1", kind=kind, time=1_767_268_800_000, **facts)


def samples(observer):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(observer.render().decode())
        for sample in family.samples
    }


def test_events_are_counted_by_state():
    metrics = MetricsObserver()
    metrics.events([event(EventKind.CREATED), event(EventKind.CREATED), event(EventKind.DELIVERED, duration_ms=20)])
    metrics.events([event(EventKind.CREATED)])
    seen = samples(metrics)
    assert seen["outrider_message_events_total", ("state", "CREATED")] == 3
    assert seen["outrider_message_events_total", ("state", "DELIVERED")] == 1
    assert seen["outrider_message_events_total", ("state", "FAILED")] == 0


def test_an_attempt_is_timed_once_by_how_it_ended():
    metrics = MetricsObserver()
    metrics.events([event(EventKind.DELIVERED, duration_ms=20)])
    metrics.events([event(EventKind.ERROR, duration_ms=1500), event(EventKind.RETRY)])
    metrics.events([event(EventKind.ERROR, duration_ms=1500), event(EventKind.FAILED, duration_ms=1500)])
    seen = samples(metrics)
    name = "outrider_attempt_duration_seconds"
    assert seen[f"{name}_count", ("outcome", "delivered")] == 1
    assert seen[f"{name}_sum", ("outcome", "delivered")] == 0.02
    assert seen[f"{name}_count", ("outcome", "failed")] == 2
    assert seen[f"{name}_bucket", ("le", "1.0"), ("outcome", "failed")] == 0
    assert seen[f"{name}_bucket", ("le", "2.5"), ("outcome", "failed")] == 2


def test_in_flight_is_asked_for_when_it_is_rendered():
    metrics, held = MetricsObserver(), [3]
    metrics.watch_in_flight(lambda: held[0])
    assert samples(metrics)["outrider_in_flight",] == 3
    held[0] = 5
    assert samples(metrics)["outrider_in_flight",] == 5


def test_faults_are_counted_and_good_news_is_not():
    metrics = MetricsObserver()
    assert samples(metrics)["outrider_faults_total", ("fault", "store_failed")] == 0
    metrics.note("store_failed", error="disk full")
    metrics.note("lease_lost", message_id="msg_1")
    metrics.note("engine_started")
    seen = samples(metrics)
    assert seen["outrider_faults_total", ("fault", "store_failed")] == 1
    assert seen["outrider_faults_total", ("fault", "lease_lost")] == 1
    assert ("outrider_faults_total", ("fault", "engine_started")) not in seen


def test_two_observers_do_not_share_a_registry():
    first, second = MetricsObserver(), MetricsObserver()
    first.events([event(EventKind.CREATED)])
    assert samples(second)["outrider_message_events_total", ("state", "CREATED")] == 0


def test_nothing_of_a_message_is_a_label():
    metrics = MetricsObserver()
    metrics.events([event(EventKind.FAILED, error="secret text")])
    metrics.note("store_failed", error="secret text")
    rendered = metrics.render()
    assert b"secret" not in rendered
    assert b"msg_1" not in rendered
    assert b"ten_1" not in rendered
