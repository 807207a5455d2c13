"""The console's screen: panes over folded runs. It opens no socket, file or process: it has ports for that."""
