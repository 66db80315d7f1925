"""What a good answer is: checks of one output."""
