-- What is due by tenant and host, so that claims can take turns among them. Only what waits has a row in it.

CREATE INDEX messages_in_lanes ON messages (state, tenant, host, due_at, seq) WHERE state = 'due';
