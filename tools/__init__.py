"""What the Makefile and continuous integration call; never imported by the product."""
