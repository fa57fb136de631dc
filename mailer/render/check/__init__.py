"""What is wrong in the templates of mails, told with file and line of the template: `infomail check`."""
