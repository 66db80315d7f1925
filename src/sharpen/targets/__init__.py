"""What gets called: models and workflows behind one seam."""
