"""From feed addresses to items."""
