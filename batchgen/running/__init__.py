"""The stations of one run, connected; a person's decisions."""
