"""What comes back: bounces, complaints, unsubscribe mails."""
