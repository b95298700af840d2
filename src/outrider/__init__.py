"""Outrider: a self-hosted message queue and scheduler whose interface is HTTP."""
