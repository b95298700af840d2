-- Messages to endpoints of URL groups that were attempted at all, by endpoint in order of arrival:
-- whoever asks how an endpoint fares finds the latest, however many wait. Others cost nothing here.

CREATE INDEX messages_attempted ON messages (tenant, group_name, url)
WHERE group_name IS NOT NULL AND (retried > 0 OR finished_at IS NOT NULL);
