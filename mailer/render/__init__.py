"""From an issue to encoded editions."""
