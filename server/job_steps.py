"""The steps of a job: fetch its files, run a task on them in the sandbox, keep what it made."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from onnx2snn.server import job_states
from onnx2snn.server.blobs import announce, touch
from onnx2snn.server.context import Context
from onnx2snn.server.database.tables import Dataset, Job, JobFile, Model, Snn, now
from onnx2snn.server.names import snn_name, stored_name
from onnx2snn.server.problems import Problem
from onnx2snn.server.sandbox import Follow, Stop, Workplace

EVALUATION_MEMORY = "1GiB"
MEDIA_TYPES = {
    "model.snn.onnx": "application/octet-stream",
    "report.html": "text/html; charset=utf-8",
    "report.json": "application/json",
    "conversion.json": "application/json",
    "simulation.npz": "application/octet-stream",
}
CONVERSION_FILES = ("model.snn.onnx", "report.html", "report.json", "conversion.json")
CONVERSION_OPTIONS = (
    *("preset", "knobs", "timesteps", "stimulus"),
    *("max_loss", "strict", "seed", "samples"),
)
CONVERSION_STAGES = 11  # roughly: what the converter calls its stages is its own business
STEP_WEIGHTS = {"convert": 0.4, "evaluate": 0.6, "simulate": 1.0}


def steps_of(kind: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Return the steps of a job, in order."""
    if kind == "conversion":
        data = config.get("evaluation_id") or config.get("calibration_id")
        return ("convert", "evaluate") if data and config.get("evaluate", True) else ("convert",)
    return {"evaluation": ("evaluate",), "simulation": ("simulate",)}[kind]


@dataclass(frozen=True)
class Step:
    """One step of one attempt at a job."""

    context: Context
    job: Job
    name: str
    stop: Stop

    def run(self) -> None:
        """Run it.

        Raises:
            Problem: it failed.
            StoppedError: it is no longer wanted.
            KilledError: somebody killed the child.
        """
        started = time.monotonic()
        with self.context.sandbox.workplace() as place:
            action = {"convert": self._convert, "evaluate": self._evaluate}.get(
                self.name, self._simulate
            )
            try:
                action(place)
            finally:
                if log := place.log():
                    job_states.tell(self.context, self.job.id, log)
        self.context.metrics.step_seconds.labels(self.name).observe(time.monotonic() - started)

    def _convert(self, place: Workplace) -> None:
        config = self.job.config
        model = self._fetch_model(place)
        calibration = self._fetch_dataset(place, config.get("calibration_id"))
        arguments = {name: config.get(name) for name in CONVERSION_OPTIONS}
        report = self._task(
            place, "convert", arguments | {"model": model, "calibration": calibration}
        )
        files = self._keep(place, CONVERSION_FILES)
        sha256, size = files["model.snn.onnx"]
        with self.context.sessions() as session, session.begin():
            self._note_files(session, files)
            touch(session, sha256)
            self._note_snn(session, sha256, size, report)
            job = session.get_one(Job, self.job.id)
            job.snn_id = sha256
            job.result = {"snn_id": sha256, "summary": _conversion_summary(report)}
            job_states.record(session, job.id, "result", snn_id=sha256)

    def _note_snn(self, session: Session, sha256: str, size: int, report: dict[str, Any]) -> None:
        """Note the network; if it was made before, keep the report of its measurement."""
        before = session.get(Snn, (self.job.owner, sha256))
        if before is not None:
            report_file = session.get(JobFile, (before.report_job_id, "report.json"))
            if report_file is not None:
                before.used_at = now()
                return
        snn = Snn(
            owner=self.job.owner,
            id=sha256,
            name=snn_name(str(report["manifest"]["source"]["name"])),
            size=size,
            model_id=self.job.model_id or "",
            job_id=self.job.id,
            report_job_id=self.job.id,
            summary=_conversion_summary(report),
            created_at=now(),
            used_at=now(),
        )
        session.merge(snn)

    def _evaluate(self, place: Workplace) -> None:
        config = self.job.config
        with self.context.sessions() as session:
            snn_id = session.get_one(Job, self.job.id).snn_id
            told = session.get(JobFile, (self.job.id, "conversion.json"))
            if told is None and snn_id is not None:
                snn = session.get(Snn, (self.job.owner, snn_id))
                told = session.get(JobFile, (snn.job_id, "conversion.json")) if snn else None
        conversion = ""
        if told is not None:
            conversion = "conversion.json"
            self.context.store.fetch(told.sha256, place.inputs / conversion)
        data_id = config.get("evaluation_id") or config.get("calibration_id")
        arguments: dict[str, Any] = {
            "model": self._fetch_model(place),
            "snn": self._fetch_snn(place, snn_id),
            "data": self._fetch_dataset(place, data_id),
            "conversion": conversion,
            "samples": config.get("evaluation_samples"),
            "timesteps": config.get("evaluation_timesteps"),
            "parts": 0,
            **self._run_options(place),
        }
        if self._is_large(data_id, arguments):
            files = {
                arguments["model"]: self.job.model_id or "",
                arguments["snn"]: snn_id or "",
                arguments["data"]: data_id or "",
            }
            if arguments["backend"] == "auto":  # not every worker need have the compiled engine
                arguments["backend"] = "onnxruntime"
            arguments["parts"] = self._measure_on_cluster(place, arguments, files)
        evaluation = self._task(place, "evaluate", arguments)
        kept = self._keep(place, ("report.html", "report.json"))
        on = "evaluation data" if config.get("evaluation_id") else "calibration data"
        summary = _evaluation_summary(evaluation, on)
        with self.context.sessions() as session, session.begin():
            self._note_files(session, kept)
            job = session.get_one(Job, self.job.id)
            job.result = {**(job.result or {}), "snn_id": snn_id, "evaluation": summary}
            snn = session.get(Snn, (self.job.owner, snn_id))
            if snn is not None:
                snn.report_job_id = self.job.id
                snn.summary = {**snn.summary, "evaluation": summary}

    def _simulate(self, place: Workplace) -> None:
        config = self.job.config
        arguments = {
            "snn": self._fetch_snn(place, self.job.snn_id),
            "data": self._fetch_dataset(place, config["dataset_id"]),
            "samples": config.get("samples"),
            "timesteps": config.get("timesteps"),
            "record": config.get("record", "counts"),
            **self._run_options(place),
        }
        account = self._task(place, "simulate", arguments)
        files = self._keep(place, ("simulation.npz",))
        with self.context.sessions() as session, session.begin():
            self._note_files(session, files)
            job = session.get_one(Job, self.job.id)
            job.result = {"snn_id": self.job.snn_id, "simulation": account}

    def _run_options(self, place: Workplace) -> dict[str, Any]:
        """Return how to run, with the samples to tune early exit on."""
        config = self.job.config
        tuned = self.name != "convert" and config.get("early_exit")
        return {
            "backend": config.get("backend", "auto"),
            "memory": EVALUATION_MEMORY,
            "early_exit": config.get("early_exit"),
            "calibration": (
                self._fetch_dataset(place, config.get("calibration_id"), "calibration")
                if tuned
                else ""
            ),
        }

    def _is_large(self, data_id: str | None, arguments: dict[str, Any]) -> bool:
        """Return whether an evaluation is to be shared among the workers of a cluster."""
        settings = self.context.settings
        if not settings.cluster or arguments["early_exit"]:
            return False
        with self.context.sessions() as session:
            dataset = session.get(Dataset, (self.job.owner, data_id or ""))
        arrays = [] if dataset is None else dataset.arrays
        samples = max((array["shape"][0] for array in arrays if array["shape"]), default=0)
        return min(samples, arguments["samples"] or samples) >= settings.cluster_samples

    def _measure_on_cluster(
        self, place: Workplace, arguments: dict[str, Any], files: dict[str, str]
    ) -> int:
        """Measure in parts elsewhere; return how many now lie in ``in/``, 0 if there is nobody."""
        from onnx2snn.server.cluster import measure_parts, room

        settings = self.context.settings
        wanted = room(settings.cluster)
        if not wanted:
            job_states.tell(self.context, self.job.id, "the cluster does not answer: measured here")
            return 0
        plan = self._task(place, "evaluate_plan", arguments | {"wanted": wanted})
        move = self._progress()
        measured = measure_parts(
            settings.cluster,
            files,
            arguments | {"points": plan["points"]},
            plan["parts"],
            seconds=settings.job_seconds,
            stop=self.stop,
            done=lambda done, total: move("evaluate on the cluster", done / total, 1),
        )
        for number, content in enumerate(measured):
            (place.inputs / f"part-{number}.npz").write_bytes(content)
        job_states.tell(
            self.context, self.job.id, f"measured in {len(measured)} parts on the cluster"
        )
        return len(measured)

    def _task(self, place: Workplace, task: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.context.sandbox.run(
            place,
            task,
            arguments,
            seconds=self.context.settings.job_seconds,
            progress=self._progress(),
            stop=self.stop,
        )
        return answer

    def _progress(self) -> Follow:
        """Return what turns the share of a stage into the progress of the whole job."""
        steps = steps_of(self.job.kind, self.job.config)
        total = sum(STEP_WEIGHTS[step] for step in steps)
        before = sum(STEP_WEIGHTS[step] for step in steps[: steps.index(self.name)]) / total
        width = STEP_WEIGHTS[self.name] / total
        reached = before

        def move(stage: str, share: float, stages: int) -> None:
            nonlocal reached
            done = min(stages / CONVERSION_STAGES, 1) if self.name == "convert" else share
            reached = max(reached, before + width * done)
            job_states.advance(
                self.context, self.job.id, self.job.attempt, stage, round(reached, 4)
            )

        return move

    def _fetch_model(self, place: Workplace) -> str:
        with self.context.sessions() as session, session.begin():
            model = session.get(Model, (self.job.owner, self.job.model_id or ""))
            if model is None:
                raise _gone("model")
            model.used_at = now()
            name = stored_name(model.name, ".onnx")
        self.context.store.fetch(model.id, place.inputs / name)
        return name

    def _fetch_snn(self, place: Workplace, snn_id: str | None) -> str:
        with self.context.sessions() as session, session.begin():
            snn = session.get(Snn, (self.job.owner, snn_id or ""))
            if snn is None:
                raise _gone("spiking network")
            snn.used_at = now()
        self.context.store.fetch(snn.id, place.inputs / "network.snn.onnx")
        return "network.snn.onnx"

    def _fetch_dataset(self, place: Workplace, dataset_id: str | None, stem: str = "data") -> str:
        if not dataset_id:
            return ""
        with self.context.sessions() as session, session.begin():
            dataset = session.get(Dataset, (self.job.owner, dataset_id))
            if dataset is None:
                raise _gone("data set")
            dataset.used_at = now()
        name = f"{stem}.{dataset.format}"
        self.context.store.fetch(dataset.id, place.inputs / name)
        return name

    def _keep(self, place: Workplace, names: tuple[str, ...]) -> dict[str, tuple[str, int]]:
        """Store the files of a task; each is whole in the store before a row names it."""
        kept = {name: self.context.store.digest(place.output(name)) for name in names}
        announce(
            self.context, *((sha, size, MEDIA_TYPES[name]) for name, (sha, size) in kept.items())
        )
        for name, (sha256, _) in kept.items():
            self.context.store.put(sha256, place.output(name))
        return kept

    def _note_files(self, session: Session, files: dict[str, tuple[str, int]]) -> None:
        for name, (sha256, size) in files.items():
            session.merge(
                JobFile(
                    job_id=self.job.id,
                    name=name,
                    sha256=sha256,
                    size=size,
                    media_type=MEDIA_TYPES[name],
                )
            )


def _gone(what: str) -> Problem:
    return Problem(
        "not-found", f"the {what} of this job has been deleted", remedy="upload it again"
    )


def _conversion_summary(report: dict[str, Any]) -> dict[str, Any]:
    manifest = report["manifest"]
    names = (
        "preset",
        "timesteps",
        "stimulus",
        "alphabet",
        "digits",
        "input_coding",
        "read_out",
        "layout",
    )
    return {
        **{name: manifest[name] for name in names},
        "calibration": manifest["calibration"],
        "analog_ops": len(manifest["analog_ops"]),
        "neurons": report["neurons"],
        "neuron_layers": report["neuron_layers"],
        "seconds": round(sum(report["seconds"].values()), 3),
    }


def _evaluation_summary(evaluation: dict[str, Any], measured_on: str) -> dict[str, Any]:
    last = evaluation["curve"][-1]
    return json.loads(  # type: ignore[no-any-return]
        json.dumps(
            {
                "measured_on": measured_on,
                "samples": evaluation["samples"],
                "ann_accuracy": evaluation["ann"]["accuracy"],
                "ptq_accuracy": evaluation["ptq"]["accuracy"],
                "snn_accuracy": last["accuracy"],
                "agreement": last["agreement"],
                "relative_error": last["relative_error"],
                "timesteps": last["timesteps"],
                "events_per_sample": last["events_per_sample"],
                "silent_at": evaluation["silent_at"],
            }
        )
    )
