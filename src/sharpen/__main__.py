"""``python -m sharpen``: the command line."""

from sharpen.cli.main import main

if __name__ == "__main__":
    main()
