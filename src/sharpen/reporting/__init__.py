"""Shows results: terminal, HTML, JSON, JUnit, Markdown."""
