"""`python without.py A,B ARGUMENTS`: the program as it is where the packages A and B are not installed."""

import runpy
import sys

missing = sys.argv.pop(1).split(",")
for name in list(sys.modules):
    if name.partition(".")[0] in missing:
        del sys.modules[name]
sys.modules.update(dict.fromkeys(missing))
runpy.run_module("lesionctl", run_name="__main__", alter_sys=True)
