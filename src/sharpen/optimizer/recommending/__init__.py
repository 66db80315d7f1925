"""What earlier searches tell about which strategy to try first. Pure: nothing here reads a store or calls anything."""
