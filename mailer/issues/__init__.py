"""From items to an issue: composing and its workflow."""
