"""The compiled core: a library of ONNX Runtime operators, built where a C++ compiler is there.

Without a compiler the package installs all the same and runs on the function bodies of the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("src/onnx2snn/runtime/native")
GNU_FLAGS = [
    "-std=c++17",
    "-O3",
    "-ffp-contract=off",  # spikes must equal those of the numpy steps, bit for bit
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wno-psabi",
    "-Wno-maybe-uninitialized",  # false alarms in the compiler's own header of intrinsics
]
MSVC_FLAGS = ["/std:c++17", "/O2", "/fp:precise"]


class BuildLibrary(build_ext):
    """Builds a plain shared library: there is no Python module in it to initialise."""

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """Return what onnxruntime looks up, and no ``PyInit_`` function."""
        return list(ext.export_symbols)


setup(
    cmdclass={"build_ext": BuildLibrary},
    ext_modules=[
        Extension(
            "onnx2snn.runtime.native._operators",
            sources=sorted(path.as_posix() for path in FOLDER.rglob("*.cpp")),
            depends=sorted(path.as_posix() for path in FOLDER.rglob("*.[hi]*")),
            include_dirs=[FOLDER.as_posix()],
            extra_compile_args=MSVC_FLAGS if sys.platform == "win32" else GNU_FLAGS,
            export_symbols=["RegisterCustomOps", "onnx2snn_isa", "onnx2snn_use_isa"],
            language="c++",
            optional=True,
        )
    ],
)
