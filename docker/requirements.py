"""Print what pip must install for the package and some of its extras: requirements.py FILE EXTRAS."""

import sys
import tomllib

path, extras = sys.argv[1:]
with open(path, "rb") as file:
    project = tomllib.load(file)["project"]
wanted = project["dependencies"] + [
    requirement for extra in extras.split(",") for requirement in project["optional-dependencies"][extra]
]
print("\n".join(wanted))
