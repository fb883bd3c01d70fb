"""Batch jobs, as OpenAI's clients and Azure's make and watch them.

https://platform.openai.com/docs/api-reference/batch
"""

from typing import Annotated, Literal, NotRequired, TypedDict

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gateway.core.batch import BatchJob, JobState
from gateway.core.files import FILE_TTL
from gateway.dialects._context import RequestContext
from gateway.dialects._openai_files import MAX_TTL, MIN_TTL
from gateway.dialects._paging import page, page_limit
from gateway.dialects._response import Response
from gateway.dialects._router import Context, DialectRouter

USUAL_PAGE, MAX_PAGE = 20, 100

Text64 = Annotated[str, Field(max_length=64)]
Text512 = Annotated[str, Field(max_length=512)]


class ExpiresAfter(BaseModel):
    """How long a file is kept."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=MIN_TTL, le=MAX_TTL)]


class BatchBody(BaseModel):
    """Which file to work on."""

    model_config = ConfigDict(title="BatchRequest", extra="forbid", strict=True, defer_build=True)

    input_file_id: str = Field(min_length=1, description="The id of an uploaded file.")
    endpoint: Literal["/v1/embeddings"] = Field(description="What the requests of the file are for.")
    completion_window: Literal["24h"] = Field(description="What is not done by then is given up.")
    metadata: Annotated[dict[Text64, Text512], Field(max_length=16)] | None = Field(
        None, description="Whatever you want to find again with the job."
    )
    output_expires_after: ExpiresAfter | None = None


class RequestCounts(TypedDict):
    """How far the job is."""

    total: int
    completed: int
    failed: int


class BatchError(TypedDict):
    """What is wrong with the file, and in which line."""

    code: str
    message: str
    line: int | None
    param: str | None


class BatchErrors(TypedDict):
    """The first problems of the file."""

    object: Literal["list"]
    data: list[BatchError]


class BatchUsage(TypedDict):
    """Tokens of all inputs that were embedded."""

    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class BatchObject(TypedDict):
    """A job."""

    id: str
    object: Literal["batch"]
    endpoint: Literal["/v1/embeddings"]
    errors: BatchErrors | None
    input_file_id: str
    completion_window: Literal["24h"]
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    usage: NotRequired[BatchUsage]
    metadata: dict[str, str] | None


class BatchList(TypedDict):
    """A page of jobs, newest first."""

    object: Literal["list"]
    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


def batch_object(job: BatchJob) -> BatchObject:
    """OpenAI's batch object."""
    batch: BatchObject = {
        "id": job.id,
        "object": "batch",
        "endpoint": "/v1/embeddings",
        "errors": _errors(job),
        "input_file_id": job.input_file,
        "completion_window": "24h",
        "status": job.state.value,
        "output_file_id": job.output_file or None,
        "error_file_id": job.error_file or None,
        "created_at": job.created,
        "in_progress_at": job.started or None,
        "expires_at": job.deadline,
        "finalizing_at": job.finalizing or None,
        "completed_at": _ended(job, JobState.COMPLETED),
        "failed_at": _ended(job, JobState.FAILED),
        "expired_at": _ended(job, JobState.EXPIRED),
        "cancelling_at": job.cancelling or None,
        "cancelled_at": _ended(job, JobState.CANCELLED),
        "request_counts": {"total": job.total, "completed": job.completed, "failed": job.failed},
        "metadata": job.metadata or None,
    }
    if job.is_over:
        batch["usage"] = _usage(job.tokens)
    return batch


def _ended(job: BatchJob, state: JobState) -> int | None:
    return job.ended if job.state is state else None


def _usage(tokens: int) -> BatchUsage:
    return {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens,
    }


def _errors(job: BatchJob) -> BatchErrors | None:
    if not job.problems:
        return None
    return {
        "object": "list",
        "data": [
            {"code": problem.code, "message": problem.message, "line": problem.line, "param": problem.param}
            for problem in job.problems
        ],
    }


def add_batch_routes(router: DialectRouter, *bases: str) -> None:
    """Routes below these bases, such as `/v1`."""

    @router.endpoint(
        "POST",
        *(f"{base}/batches" for base in bases),
        include_in_schema=False,
    )
    async def create(context: Context) -> Response:
        """The requests of a file are embedded in the background; their answers will be in a file, too."""
        body = context.read(BatchBody)
        batch = context.gateway.batch()
        expires = body.output_expires_after
        job = batch.jobs.create(
            context.caller,
            batch.files.get(context.caller, body.input_file_id),
            job_format="openai",
            metadata=body.metadata,
            output_ttl=expires.seconds if expires else FILE_TTL,
        )
        return _json(batch_object(job))

    @router.endpoint(
        "GET",
        *(f"{base}/batches" for base in bases),
        include_in_schema=False,
    )
    async def listed(context: Context) -> Response:
        """The jobs of the key's workspace, newest first."""
        jobs, more = context.gateway.batch().jobs.list(
            context.caller,
            limit=page_limit(context, USUAL_PAGE, MAX_PAGE),
            after=context.query_value("after"),
        )
        return page([batch_object(job) for job in jobs], has_more=more)

    @router.endpoint(
        "GET",
        *(f"{base}/batches/{{batch}}" for base in bases),
        include_in_schema=False,
    )
    async def retrieve(context: Context) -> Response:
        """How far the job is."""
        return _json(batch_object(context.gateway.batch().jobs.get(context.caller, _id(context))))

    @router.endpoint(
        "POST",
        *(f"{base}/batches/{{batch}}/cancel" for base in bases),
        include_in_schema=False,
    )
    async def cancel(context: Context) -> Response:
        """No further request is tried; what is done stays."""
        return _json(batch_object(context.gateway.batch().jobs.cancel(context.caller, _id(context))))


def _id(context: RequestContext) -> str:
    return context.path_params["batch"]


def _json(value: object) -> Response:
    return Response(body=orjson.dumps(value))
