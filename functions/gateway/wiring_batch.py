"""Builds what batch jobs need, apart from `wiring.py`: boto3 makes a cold start half as long again."""

import time
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config

from gateway.dialects.openai_lines import OpenAILines
from gateway.operations.batches import Batches
from gateway.operations.embed_lines import EmbedLines
from gateway.operations.files import BatchFiles
from gateway.operations.gateway import BatchOperations
from gateway.operations.run_batch import RunBatch
from gateway.settings import Settings
from gateway.stores.batch_jobs import TableBatchJobs
from gateway.stores.files import BucketAnswers, BucketFiles
from gateway.stores.work_board import TableWorkBoard
from gateway.stores.work_queue import QueueSignal
from gateway.wiring import wire_embed


def wire_batch_worker(settings: Settings, environment: Mapping[str, str]) -> RunBatch:
    """What works on batch jobs; it imports no web framework."""
    embed, region = wire_embed(settings, environment), environment["AWS_REGION"]
    jobs, files, signal = _batch_stores(settings, region)
    formats = {"openai": OpenAILines()}
    return RunBatch(
        jobs=jobs,
        board=TableWorkBoard(partial(_boto, "dynamodb", region), table=settings.batch_table, clock=time.time),
        files=files,
        answers=BucketAnswers(partial(_boto, "s3", region), bucket=settings.files_bucket),
        signal=signal,
        embed_lines=EmbedLines(embed=embed, catalogue=embed.catalogue, formats=formats),
        formats=formats,
        clock=time.time,
    )


def batch_operations(settings: Settings, environment: Mapping[str, str]) -> BatchOperations:
    """What callers may do with batch jobs and their files."""
    jobs, files, signal = _batch_stores(settings, environment["AWS_REGION"])
    return BatchOperations(
        jobs=Batches(jobs=jobs, signal=signal, clock=time.time), files=BatchFiles(files=files, clock=time.time)
    )


def _batch_stores(settings: Settings, region: str) -> tuple[TableBatchJobs, BucketFiles, QueueSignal]:
    dynamodb, s3 = partial(_boto, "dynamodb", region), partial(_boto, "s3", region)
    table, bucket = settings.batch_table, settings.files_bucket
    return (
        TableBatchJobs(dynamodb, table=table, clock=time.time),
        BucketFiles(dynamodb, s3, table=table, bucket=bucket, clock=time.time),
        QueueSignal(partial(_boto, "sqs", region), queue=settings.batch_queue),
    )


@cache
def _boto(service: str, region: str) -> Any:  # boto3 has no types
    session: Any = boto3.Session(region_name=region)
    # Presigned addresses of another version are refused in newer regions; an emulator finds buckets in the path.
    config = Config(signature_version="s3v4") if service == "s3" else None
    return session.client(service, config=config)
