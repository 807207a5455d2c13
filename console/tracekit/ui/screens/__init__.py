"""What fills the whole terminal: the console itself, questions, lists."""
