"""`python -m mailer` and the command `infomail`."""

from mailer.cli import main

if __name__ == "__main__":
    main()
