"""What a seed is about. Each leaves out some kinds of faults and of work, so that others stand out."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.chance import Chance

from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


@dataclass(frozen=True)
class Scale:
    """How long things take.

    Attributes:
        gap_ms: between the bursts of a client, on average.
        default_retries: most retries of a message with the default backoff.
        cron, period_ms: of schedules.
        longest_outage_ms: while the store is away, everybody asks twice a second.
    """

    name: str
    lease_ms: int
    poll_ms: int
    recheck_ms: int
    chaos_ms: int
    gap_ms: int
    longest_delay_ms: int
    default_retries: int
    cron: str
    period_ms: int
    fault_gap_ms: int
    longest_outage_ms: int


SCALES = (
    Scale(
        "minutes",
        lease_ms=6 * SECOND_MS,
        poll_ms=10 * SECOND_MS,
        recheck_ms=SECOND_MS,
        chaos_ms=3 * MINUTE_MS,
        gap_ms=8 * SECOND_MS,
        longest_delay_ms=30 * SECOND_MS,
        default_retries=2,
        cron="* * * * *",
        period_ms=MINUTE_MS,
        fault_gap_ms=12 * SECOND_MS,
        longest_outage_ms=20 * SECOND_MS,
    ),
    Scale(
        "hours",
        lease_ms=MINUTE_MS,
        poll_ms=2 * MINUTE_MS,
        recheck_ms=MINUTE_MS,
        chaos_ms=HOUR_MS,
        gap_ms=3 * MINUTE_MS,
        longest_delay_ms=15 * MINUTE_MS,
        default_retries=3,
        cron="*/10 * * * *",
        period_ms=10 * MINUTE_MS,
        fault_gap_ms=4 * MINUTE_MS,
        longest_outage_ms=2 * MINUTE_MS,
    ),
    Scale(
        "days",
        lease_ms=10 * MINUTE_MS,
        poll_ms=20 * MINUTE_MS,
        recheck_ms=10 * MINUTE_MS,
        chaos_ms=DAY_MS,
        gap_ms=HOUR_MS,
        longest_delay_ms=6 * HOUR_MS,
        default_retries=5,
        cron="0 * * * *",
        period_ms=HOUR_MS,
        fault_gap_ms=90 * MINUTE_MS,
        longest_outage_ms=5 * MINUTE_MS,
    ),
)

FOR_EVER_MS = 400 * DAY_MS

FAULTS = ("kill", "stop", "pause", "cut", "outage", "full", "jump", "slow", "storm", "refuse", "conflict", "crowd")
FEATURES = (
    "delay",
    "retry",
    "callback",
    "dedup",
    "batch",
    "group",
    "queue",
    "key",
    "schedule",
    "cancel",
    "dlq",
    "steer",
    "retention",
    "profile",
)


@dataclass(frozen=True)
class Plan:
    """A seed's run.

    Attributes:
        nodes: 1 is a process on its own SQLite file, more are a cluster on a database that they share.
        faults, features: which kinds there are.
        failing: how many of the attempts fail, roughly.
        drift: how wrong the steady clock of a node may go.
        max_in_flight, max_per_host, max_pending: bounds of a node.
        log_retention_ms, dlq_retention_ms: for ever, or shorter than the night between the two halves of the work.
        night_ms: how long everything is off then.
    """

    seed: int
    scale: Scale
    nodes: int
    faults: frozenset[str]
    features: frozenset[str]
    failing: float
    drift: float
    max_in_flight: int
    max_per_host: int
    max_pending: int
    log_retention_ms: int
    dlq_retention_ms: int
    night_ms: int

    @property
    def is_cluster(self) -> bool:
        return self.nodes > 1

    @property
    def clocks_jump(self) -> bool:
        """Whether the time that a node goes by may jump: who follows the database's does not feel it."""
        return "jump" in self.faults and not self.is_cluster

    def describe(self) -> str:
        faults = " ".join(sorted(self.faults)) or "none"
        return (
            f"seed {self.seed}: {self.nodes} node(s), {self.scale.name}; faults: {faults};"
            f" work: {' '.join(sorted(self.features))}; {self.failing:.0%} of attempts fail"
        )


def plan_of(seed: int) -> Plan:
    """The plan that the seed stands for."""
    chance = Chance(seed, "plan")
    small = chance.happens(0.3)
    faults = [fault for fault in FAULTS if chance.happens(0.45)]
    features = frozenset(feature for feature in FEATURES if chance.happens(0.6))
    is_kept = "retention" not in features
    return Plan(
        seed=seed,
        scale=chance.choices(SCALES, (6, 2, 2))[0],
        nodes=chance.choices((1, 2, 3), (3, 4, 3))[0],
        faults=frozenset() if chance.happens(0.08) else frozenset(faults),
        features=features,
        failing=chance.choice((0.0, 0.1, 0.3, 0.6)),
        drift=chance.choice((0.0, 0.0001, 0.0004)),
        max_in_flight=chance.choice((3, 8, 20)) if small else 1000,
        max_per_host=chance.choice((1, 2, 5)) if small else 200,
        max_pending=chance.choice((5, 20)) if "crowd" in faults else 10_000,
        log_retention_ms=FOR_EVER_MS if is_kept else chance.choice((2, 6)) * HOUR_MS,
        dlq_retention_ms=FOR_EVER_MS if is_kept else chance.choice((2, 12)) * HOUR_MS,
        night_ms=DAY_MS + chance.randrange(HOUR_MS),
    )
