"""The SMTP client: protocol apart from sockets."""
