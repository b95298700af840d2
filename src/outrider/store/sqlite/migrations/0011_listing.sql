-- What waits for time or a gate, by tenant, soonest due first. A message that is delivered at once never enters it.
CREATE INDEX messages_waiting ON messages (tenant, due_at) WHERE state IN ('due', 'held');

-- What goes wrong, by time; most messages have no such entry and cost nothing here.
CREATE INDEX events_in_trouble ON events (tenant, time)
WHERE kind IN ('RETRY', 'ERROR', 'FAILED', 'CANCEL_REQUESTED', 'CANCELED');
