"""`python -m lesionctl` is the same program as `lesionctl`."""

from lesionctl.cli.main import main

if __name__ == "__main__":
    main()
