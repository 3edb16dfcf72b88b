"""``onnx2snn presets``: the named sets of knobs."""

from __future__ import annotations

from typing import Annotated

import typer

from onnx2snn.cli.options import AsJson


def presets(
    name: Annotated[str | None, typer.Argument(help="Show one preset with all its knobs.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the presets: what each is for and how its knobs are set."""
    from onnx2snn.cli.output import facts, print_json, results, table
    from onnx2snn.converter.catalogue import ALL_PRESETS, find_preset
    from onnx2snn.converter.presets import PRESETS

    chosen = ALL_PRESETS if name is None else (find_preset(name),)
    if as_json:
        print_json([preset.model_dump(mode="json") for preset in chosen])
        return
    console = results(as_json)
    if name is not None:
        knobs = chosen[0].model_dump(mode="json")
        knobs |= {"stimulus": "T"} if knobs["stimulus"] is None else {}
        console.print(facts(list(knobs.items())))
        return
    rows = [
        (
            preset.name,
            preset.timesteps,
            "T" if preset.stimulus is None else preset.stimulus,
            preset.alphabet,
            preset.digits,
            preset.grid_levels,
            preset.threshold_rule,
            preset.pooling,
        )
        for preset in PRESETS
    ]
    columns = ("preset", "T", "S", "alphabet", "k", "levels", "thresholds", "max-pool on")
    console.print(table(columns, rows))
    console.print()
    console.print(facts([(preset.name, preset.summary) for preset in PRESETS]))
    console.print(
        "\nT: default timesteps. S: timesteps the input is shown. k: digits per emission.\n"
        "\nMethods of the literature, of the same knobs ('onnx2snn presets NAME' shows all):\n"
    )
    methods = [
        (preset.name, f"{preset.summary}\n{preset.equation}\n({preset.source})")
        for preset in ALL_PRESETS
        if preset not in PRESETS
    ]
    console.print(facts(methods))
