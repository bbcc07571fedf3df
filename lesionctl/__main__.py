"""`python -m lesionctl` is the same program as `lesionctl`."""

from lesionctl.cli.start import main

if __name__ == "__main__":
    main()
