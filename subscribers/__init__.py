"""Who gets the mail, why they may, and how they leave. Knows nothing of mailer."""
