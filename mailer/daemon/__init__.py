"""The processes: `serve` runs web, clock and intake in this one and the worker in a child.

A busy thread beside SQLite's queries would cost the pages their speed; a process of its own
does not, and it can be killed and started again without them. It loads nothing of the other roles.
"""
