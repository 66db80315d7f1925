"""Ways of making a prompt better, one file each."""
