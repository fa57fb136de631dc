"""What everybody may read of the issues that were sent, and pass on."""
