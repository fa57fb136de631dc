"""Mail to one person: confirmation, goodbye, invitation into an office, the yearly question."""
