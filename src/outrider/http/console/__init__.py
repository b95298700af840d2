"""The console: its files, signing in to it, and what it is told while it is open."""

from outrider.http.console.door import Door
from outrider.http.console.routes import routes

__all__ = ["Door", "routes"]
