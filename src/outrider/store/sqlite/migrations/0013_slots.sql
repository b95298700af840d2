-- Who holds a slot of a queue: the oldest of them is asked for with the queue. Only these have a row in it. It asks for
-- more than that there is a slot, so that no other query takes it for its own: those look for a few messages.

CREATE INDEX gated_in_slots ON gated (slot) WHERE slot > 0;
