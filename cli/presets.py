"""``onnx2snn presets``: the named sets of knobs."""

from __future__ import annotations

from onnx2snn.cli.options import AsJson


def presets(as_json: AsJson = False) -> None:
    """List the presets: what each is for and how its knobs are set."""
    from onnx2snn.cli.output import facts, print_json, results, table
    from onnx2snn.converter.presets import PRESETS

    if as_json:
        print_json([preset.model_dump(mode="json") for preset in PRESETS])
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
    console = results(as_json)
    console.print(table(columns, rows))
    console.print()
    console.print(facts([(preset.name, preset.summary) for preset in PRESETS]))
    console.print(
        "\nT: default timesteps. S: timesteps the input is shown. k: digits per emission."
    )
