"""Ways of searching for a better prompt, behind one seam."""
