"""Data sets: upload, list, delete."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import delete, select

from onnx2snn.server.arrivals import add_dataset, receive_file
from onnx2snn.server.database.tables import Dataset
from onnx2snn.server.pages import PageSize, PageToken, read_page
from onnx2snn.server.routes.models import FILE_BODY, FileName
from onnx2snn.server.schemas import DatasetOut, DatasetPage, Sha256Path
from onnx2snn.server.service import TheService
from onnx2snn.server.submit import Owner, require

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.post("", status_code=201, operation_id="uploadDataset", openapi_extra=FILE_BODY)
async def upload_dataset(
    service: TheService, owner: Owner, request: Request, response: Response, name: FileName = ""
) -> DatasetOut:
    """Upload samples: ``.npz`` (arrays named as the model's inputs, ``labels``) or ``.npy``."""
    received, given = await receive_file(service, request, name)
    dataset = await add_dataset(service, owner, received, given)
    response.headers["Location"] = f"/v1/datasets/{dataset.id}"
    return DatasetOut.model_validate(dataset)


@router.get("", operation_id="listDatasets")
def list_datasets(
    service: TheService, owner: Owner, page_size: PageSize = 50, page_token: PageToken = ""
) -> DatasetPage:
    """List your data sets, the newest first."""
    with service.context.sessions() as session:
        query = select(Dataset).where(Dataset.owner == owner)
        rows, token = read_page(session, query, Dataset, page_size, page_token)
    items = [DatasetOut.model_validate(row) for row in rows]
    return DatasetPage(items=items, next_page_token=token)


@router.get("/{dataset_id}", operation_id="getDataset")
def get_dataset(service: TheService, owner: Owner, dataset_id: Sha256Path) -> DatasetOut:
    """Return what arrays a data set holds."""
    with service.context.sessions() as session:
        return DatasetOut.model_validate(require(session, Dataset, owner, dataset_id, "data set"))


@router.delete("/{dataset_id}", status_code=204, operation_id="deleteDataset")
def delete_dataset(service: TheService, owner: Owner, dataset_id: Sha256Path) -> None:
    """Delete a data set."""
    with service.context.sessions() as session, session.begin():
        require(session, Dataset, owner, dataset_id, "data set")
        session.execute(delete(Dataset).where(Dataset.owner == owner, Dataset.id == dataset_id))
