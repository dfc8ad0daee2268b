"""What is said to people of incidents, in English and Korean: one table a language, told by the same facts."""
