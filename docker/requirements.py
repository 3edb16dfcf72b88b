"""Print what pip must install for a package and some of its extras: FILE EXTRAS."""

import sys
import tomllib

path, extras = sys.argv[1:]
with open(path, "rb") as file:
    project = tomllib.load(file)["project"]
wanted = project["dependencies"] + [
    requirement
    for extra in extras.split(",")
    for requirement in project["optional-dependencies"][extra]
]
print("\n".join(wanted))
