-- oldest reader: 2
-- What waits for time or a gate, by tenant, soonest due first. A message that is delivered at once never enters it.

-- full:
CREATE INDEX messages_waiting ON messages_unfinished (tenant, due_at, seq) WHERE state IN ('due', 'held');
-- portable:
CREATE INDEX messages_waiting ON messages (tenant, due_at, seq)
WHERE state IN ('due', 'held') AND finished_at IS NULL;
-- both:

-- What goes wrong, by time; most messages have no such entry and cost nothing here.
CREATE INDEX events_in_trouble ON events (tenant, time, id)
WHERE kind IN ('RETRY', 'ERROR', 'FAILED', 'CANCEL_REQUESTED', 'CANCELED');
