"""The commands. Textual and asyncssh are imported only inside the command that needs them."""
