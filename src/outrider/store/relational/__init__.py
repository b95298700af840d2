"""What the stores do alike: every operation on rows, written once. Each brings its SQL, its schema and its driver.

store.py       RelationalStore: the Store protocol, one line or two a method
connection.py  what an operation needs of a database; in which order locks are taken
transactions.py
               what a driver runs: an operation, or one that is shared by many callers
messages.py settlements.py cancellations.py log.py dead_letters.py tenants.py nodes.py upkeep.py
url_groups.py schedules.py profiles.py usage.py health.py activity.py status.py
               what is done inside a transaction
gates.py       what queues and flow-control keys hold back and let through; queues.py flow_keys.py
rows.py        values as rows and back
filters.py     the conditions of a query; pages.py its pages and cursors
queries.py     loads named SQL
"""
