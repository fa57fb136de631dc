"""From editions and the audience to deliveries, and out."""
