"""What is made of events: books and account state. No network; fed by handlers or by a recording alike."""
