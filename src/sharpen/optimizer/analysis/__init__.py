"""Static analysis of prompts: lint rules, text measures and scores."""
