"""Infomail: composes issues from feeds, sends them, and tracks what becomes of each mail."""

__version__ = "0.1.0"
