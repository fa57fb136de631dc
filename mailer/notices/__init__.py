"""Mail to one person: confirmation, goodbye."""
