-- oldest reader: 2
-- What is due by tenant and host, so that claims can take turns among them. Only what waits has a row in it.

-- full:
CREATE INDEX messages_in_lanes ON messages_unfinished (tenant, host, due_at, seq) WHERE state = 'due';
-- portable:
CREATE INDEX messages_in_lanes ON messages (tenant, host, due_at, seq) WHERE state = 'due' AND finished_at IS NULL;
