"""The archive in the window: nodes, queries, retrieving, sending, the inbox."""
